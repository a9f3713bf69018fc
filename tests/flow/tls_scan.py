"""What sslscan and testssl.sh say of a listener, for `make tls-scan`: every weakness that they name fails. Some minutes."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

# Of a server with a certificate of a test: nobody of the browsers' authorities has signed it. And advice for web sites, whose pages
# an instance makes.
NOT_OURS = {"cert_chain_of_trust", "cert_trust", "cert_revocation", "cert_ocspRevoked", "cert_crlDistributionPoints", "cert_ocspURL",
            "OCSP_stapling", "DNS_CAArecord", "certificate_transparency", "HSTS", "security_headers", "cert_mustStapleExtension",
            "cert_validityPeriod", "cert_expirationStatus", "cert_notAfter", "cert_extlifeSpan", "overall_grade", "grade_cap_reason_1",
            "cert_commonName_wo_SNI", "cert_subjectAltName", "cert_keyUsage", "cert_extKeyUsage"}
RANKS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


def sslscan(port):
    """All weaknesses that sslscan sees, as texts."""
    told = subprocess.run(["sslscan", "--no-colour", "--xml=-", f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=120,
                          check=True).stdout
    test = ElementTree.fromstring(told).find("ssltest")
    found = [f"{one.get('type')} {one.get('version')} is enabled" for one in test.iter("protocol")
             if one.get("enabled") == "1" and one.get("version") not in ("1.2", "1.3")]
    found += [f"{one.tag} is supported" for what in ("renegotiation", "compression") for one in test.iter(what)
              if one.get("supported") != "0"]
    found += [f"heartbleed in {one.get('sslversion')}" for one in test.iter("heartbleed") if one.get("vulnerable") != "0"]
    ciphers = list(test.iter("cipher"))
    found += [f"{one.get('sslversion')} {one.get('cipher')}" for one in ciphers
              if not (one.get("cipher").startswith("TLS_") or
                      (one.get("cipher").startswith("ECDHE-") and one.get("cipher").endswith(("GCM-SHA256", "GCM-SHA384", "POLY1305"))))]
    versions = {one.get("sslversion") for one in ciphers}
    if versions != {"TLSv1.2", "TLSv1.3"}:
        found.append(f"ciphers of {versions}")
    return found


def testssl(port):
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        subprocess.run(["testssl", "--quiet", "--warnings", "off", "--color", "0", "--jsonfile", told, f"localhost:{port}"],
                       capture_output=True, text=True, timeout=1800)
        findings = json.loads(told.read_text())
    assert len(findings) > 50, "testssl has not looked at much"
    return [f"{one['severity']} {one['id']}: {one['finding']}" for one in findings
            if one["severity"] in RANKS and one["id"].split(" ")[0] not in NOT_OURS]


def main():
    sys.path.insert(0, str(Path(__file__).parent))
    from gateway import Gateway
    from http1_backend import Http1Backend
    from processes import free_port
    from test_tls import CONFIG, answer, make_certificates
    with tempfile.TemporaryDirectory() as folder:
        make_certificates(Path(folder))
        with Http1Backend(answer) as backend, Gateway(Path(folder), CONFIG, backend=backend.port, **{
                name: free_port() for name in ("secure", "second", "known")}) as gateway:
            found = [f"{scan.__name__}: {one}" for scan in (sslscan, testssl) for one in scan(gateway.words["secure"])]
    print("\n".join(found) or "sslscan and testssl see no weakness")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
