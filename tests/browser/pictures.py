"""Makes the pictures of docs/page.md anew: python3 tests/browser/pictures.py. They get smaller if pngquant is installed."""
import pathlib
import shutil
import subprocess
import tempfile

from trouble import ROOT, Trouble  # it knows where the flow tests' harness is

from browser import Browser
from operators import TOKENS

OPS = TOKENS["ops"]
FOLDER = ROOT / "docs/page"
CALLS_OF_V1 = "#/matrix?service=orders&client=v1&served=v3"


def main():
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Trouble(pathlib.Path(folder), hostile=False) as trouble:
        browser = Browser(trouble.page)
        browser("picture", str(FOLDER / "overview-1440.png"), "#/overview", OPS, 1440, "light", 1080)
        browser("picture", str(FOLDER / "overview-390.png"), "#/overview", OPS, 390, "dark", 1100)
        browser("picture", str(FOLDER / "versions-820.png"), CALLS_OF_V1, OPS, 820, "light", 1000)
        browser("picture", str(FOLDER / "request-820.png"), f"#/request?id={trouble.lossy}", OPS, 820, "light", 760)
        browser.close()
    if shutil.which("pngquant"):
        for file in FOLDER.glob("*.png"):
            subprocess.run(["pngquant", "--force", "--skip-if-larger", "--ext", ".png", "48", str(file)], check=True)


if __name__ == "__main__":
    main()
