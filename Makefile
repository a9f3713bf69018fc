# A menu over Meson; nothing is built here. The Debian packages it needs are in `debian-packages`.

BUILD ?= build
FUZZ_SECONDS ?= 60
MESSAGES ?= 100000
KILLS ?= 500
SIMULATED ?= 10000
ROLLOUTS ?= 50000
DAYS ?= 20
CHAOS_SECONDS ?= 30
CLANG = CC=clang CC_LD=lld
ASAN = -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true
SOURCES = '*.c' '*.h' '*.cc'

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*## .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## this menu
	@echo 'Passerelle: make WHAT, where WHAT is'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

deps: ## install the Debian packages that building and testing need
	@.ci/deps build demo test docs

build: ## build/passerelle
	@.ci/deps build
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) $(SETUP)
	@ninja -C $(BUILD)

demo: ## three versions of one shop, any client; ONCE=1 ends after the story
	@.ci/deps build demo
	@$(MAKE) --no-print-directory build
	@BUILD=$(BUILD) /usr/bin/python3 examples/shop/demo.py

shop: ## the shop's backends and the gateway, to try things on: docs/how-to begins with it; Ctrl-C stops them
	@.ci/deps build demo
	@$(MAKE) --no-print-directory build
	@BUILD=$(BUILD) /usr/bin/python3 examples/shop/start.py $(BUILD)/shop

test: deps ## unit tests, fuzz seeds and flow tests with real clients; WHAT=unit leaves the flow tests out
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 tests/run.py $(BUILD) $(WHAT)

asan: ## the same under AddressSanitizer and UndefinedBehaviorSanitizer, built with clang, whose sanitizers see more
	@.ci/deps clang fuzz
	@$(CLANG) $(MAKE) --no-print-directory test BUILD=build-asan SETUP='$(ASAN)'

tsan: ## the same under ThreadSanitizer
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp $$TSAN_OPTIONS" $(MAKE) --no-print-directory test BUILD=build-tsan SETUP='-Db_sanitize=thread -Db_lundef=false'

clang: ## the same, built with clang
	@.ci/deps clang
	@$(CLANG) $(MAKE) --no-print-directory test BUILD=build-clang

coverage: ## lines and branches of each module that the unit tests run; FILES=1 lists the files, too
	@.ci/deps coverage
	@$(MAKE) --no-print-directory test WHAT=unit BUILD=build-coverage SETUP='-Db_coverage=true -Dbuildtype=debug'; \
		told=$$?; /usr/bin/python3 tests/coverage.py build-coverage $(if $(FILES),files) && exit $$told

mutants: ## MUTANTS (300) small faults in the files that decide: what the unit tests notice of them; within an hour
	@.ci/deps build mutants
	@[ -f build-mutants/build.ninja ] || meson setup build-mutants -Db_coverage=true -Dwerror=false
	@[ -x build-mutants/venv/bin/mutate ] || { /usr/bin/python3 -m venv build-mutants/venv && \
		build-mutants/venv/bin/pip install -q universalmutator==1.14.1; } || \
		{ echo 'universalmutator cannot be installed: this target needs PyPI, or build-mutants/venv/bin/mutate'; exit 1; }
	@/usr/bin/python3 tests/mutants/run.py build-mutants build-mutants/venv/bin/mutate

browser: ## pages in headless Chromium call the shop; not part of test, for Chromium is large
	@.ci/deps build demo test browser
	@$(MAKE) --no-print-directory build
	@[ -d tests/browser/node_modules ] || (cd tests/browser && npm ci --no-audit --no-fund --ignore-scripts)
	@PASSERELLE=$(CURDIR)/$(BUILD)/passerelle SHOP_STUBS=$(CURDIR)/$(BUILD)/examples/shop/stubs \
		/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/browser

fuzz: ## each fuzz target for FUZZ_SECONDS (60), with clang's libFuzzer; SEED=1: the same inputs each time
	@.ci/deps build fuzz
	@[ -f build-asan/build.ninja ] || $(CLANG) meson setup build-asan $(ASAN)
	@ninja -C build-asan fuzz
	@/usr/bin/python3 tests/fuzz/run.py build-asan $(FUZZ_SECONDS) $(SEED)

faults: ## each read, write, connect, accept, lookup, TLS operation and allocation fails, one at a time, in each dialect; DIALECTS='gRPC REST'; FLOW=tests/flow: one in 1000 in the flow tests, by SEED (1)
	@.ci/deps build clang fuzz test
	@[ -f build-asan/build.ninja ] || $(CLANG) meson setup build-asan $(ASAN)
	@ninja -C build-asan tests/faults/passerelle-faults examples/shop/orders.binpb
	@$(if $(FLOW),SEED=$(or $(SEED),1) /usr/bin/python3 tests/faults/flow.py build-asan $(FLOW),/usr/bin/python3 tests/faults/run.py build-asan $(DIALECTS))

prove: build ## change lists of real APIs with MESSAGES (100000) each way
	@/usr/bin/python3 tests/corpora/run.py $(BUILD)/tests/corpora/prove_corpus $(MESSAGES)

crashes: build ## KILLS (500) kills of a writer and its store, on SQLite and on PostgreSQL: nothing that was promised is lost
	@.ci/deps test
	@/usr/bin/python3 tests/unit/gateway/store/test_store_crash.py $(BUILD)/tests/unit/gateway/store_writer $(KILLS)

jobs-simulation: build ## SIMULATED (10000) kills of gateways, stores and backends, in memory: each job ends as a simple model says; SEED=1
	@ninja -C $(BUILD) tests/unit/gateway/test_job_simulation
	@$(BUILD)/tests/unit/gateway/test_job_simulation $(SIMULATED) $(or $(SEED),1)

rollouts-simulation: build ## ROLLOUTS (50000) simulated rollouts, judged beside other judges; writes docs/rollouts/, in about ten minutes
	@ninja -C $(BUILD) loadtest/rollouts/rollouts
	@/usr/bin/python3 loadtest/rollouts/run $(BUILD) $(ROLLOUTS)

signals-simulation: build ## DAYS (20) simulated days with ten weak signals each: at least eight are found, at most two are false; writes docs/signals/
	@ninja -C $(BUILD) loadtest/signals/signals
	@/usr/bin/python3 loadtest/signals/run $(BUILD) $(DAYS)

access: build ## an ES256 token that was not seen before costs at most 1.1 times OpenSSL's verification; the time of a lookup tells nothing of the API keys
	@ninja -C $(BUILD) loadtest/access/access_es256 loadtest/access/access_lookup
	@$(BUILD)/loadtest/access/access_es256
	@$(BUILD)/loadtest/access/access_lookup

model: ## the model of who executes a job, with more disorder than in `test`: no double owner, no lost job
	@.ci/deps model
	@/usr/bin/python3 tests/model/run.py --full

jobs-kills: build ## KILLS (500) of two gateways, a backend and the store, on SQLite and on PostgreSQL: no accepted job is lost, no call has an effect twice
	@.ci/deps build test
	@cd tests/flow && PYTHONDONTWRITEBYTECODE=1 PASSERELLE=$(CURDIR)/$(BUILD)/passerelle /usr/bin/python3 job_kills.py $(KILLS)

rollouts-kills: build ## KILLS (500) of three gateways and their PostgreSQL: each client sees one build, tiers keep their size, each decision is made once
	@.ci/deps build test
	@cd tests/flow && PYTHONDONTWRITEBYTECODE=1 GRPC_ENABLE_FORK_SUPPORT=0 PASSERELLE=$(CURDIR)/$(BUILD)/passerelle /usr/bin/python3 rollout_kills.py $(KILLS)

chaos: ## instances and networks fail in each way for CHAOS_SECONDS (30) under load: no call hangs or is lost, and other routes notice nothing; ONLY=name; half an hour
	@.ci/deps build test bench chaos
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 tests/chaos/run.py $(BUILD) --seconds $(CHAOS_SECONDS) $(if $(ONLY),--only '$(ONLY)')

alerts: ## faults in a real gateway, and what a real Prometheus tells of them: in about ten minutes; ONLY=name
	@.ci/deps build test alerts
	@$(MAKE) --no-print-directory build
	@PYTHONDONTWRITEBYTECODE=1 PASSERELLE=$(CURDIR)/$(BUILD)/passerelle SHOP_STUBS=$(CURDIR)/$(BUILD)/examples/shop/stubs \
		/usr/bin/python3 -m pytest -q -p no:cacheprovider -n 3 $(if $(ONLY),-k '$(ONLY)') tests/alerts

sandbox: ## all flow tests with `sandbox: true`: nothing that a gateway needs is refused
	@.ci/deps build demo test
	@$(MAKE) --no-print-directory build
	@cd tests/flow && SANDBOX=1 PYTHONDONTWRITEBYTECODE=1 PASSERELLE=$(CURDIR)/$(BUILD)/passerelle \
		SHOP_STUBS=$(CURDIR)/$(BUILD)/examples/shop/stubs /usr/bin/python3 -m pytest -q -p no:cacheprovider -n auto .

sbom: ## build/passerelle.cdx.json: the software bill of materials, CycloneDX 1.5
	@.ci/deps build
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 tests/supply/sbom.py $(BUILD)/passerelle "$$($(BUILD)/passerelle version | sed -n 's/^passerelle \([^ ]*\).*/\1/p')" \
		> $(BUILD)/passerelle.cdx.json && echo $(BUILD)/passerelle.cdx.json

deb: ## build-deb/passerelle_*.deb of the commit, in which lintian finds nothing
	@.ci/deps build package
	@rm -rf build-deb && mkdir -p build-deb/passerelle
	@git archive HEAD | tar -x -C build-deb/passerelle
	@cd build-deb/passerelle && SOURCE_DATE_EPOCH=$$(git -C $(CURDIR) log -1 --format=%ct) dpkg-buildpackage --no-sign -b
	@lintian --fail-on error,warning,info build-deb/*.changes
	@ls build-deb/*.deb

package: deb ## the package, then the Containerfile's steps, on minimal Debians in folders: installed, upgraded under load, purged; built, started; as root; PROGRAM=build/passerelle leaves the second build out
	@.ci/deps package build
	@/usr/bin/python3 tests/package/run.py build-deb/passerelle_*.deb build-dist/root
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/package/container.py build-dist/container $(PROGRAM)

dist: ## build-dist/passerelle-VERSION.tar.gz of the commit, which builds without git, and its hash, to be signed
	@mkdir -p build-dist
	@name=passerelle-$$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build) && git archive --prefix=$$name/ HEAD | gzip -9n > build-dist/$$name.tar.gz && \
		cd build-dist && sha256sum $$name.tar.gz | tee $$name.tar.gz.sha256

reproducible: ## builds the commit twice, in other folders at other times, and compares the bits
	@.ci/deps build
	@tests/supply/reproducible.sh $(CURDIR)

tls-scan: ## sslscan and testssl.sh look at a listener, and see no weakness; some minutes
	@.ci/deps build demo test scan
	@$(MAKE) --no-print-directory build
	@PYTHONDONTWRITEBYTECODE=1 PASSERELLE=$(CURDIR)/$(BUILD)/passerelle /usr/bin/python3 tests/flow/tls_scan.py

upgrades: ## UPGRADES (100) upgrades, and as many CRASHES, under the load of clients of all dialects: no call is lost but those in flight at a crash
	@.ci/deps build demo test
	@$(MAKE) --no-print-directory build
	@[ -d tests/flow/node/node_modules ] || (cd tests/flow/node && npm ci --no-audit --no-fund --ignore-scripts)
	@TIMES=1 UPGRADES=$(or $(UPGRADES),100) CRASHES=$(or $(CRASHES),100) PASSERELLE=$(CURDIR)/$(BUILD)/passerelle \
		SHOP_STUBS=$(CURDIR)/$(BUILD)/examples/shop/stubs /usr/bin/python3 -m pytest -q -s -p no:cacheprovider \
		tests/flow/test_live_upgrade.py -k 'under_load or with_the_shop'

instructions: ## instructions per call and idle memory, compared with loadtest/figures.md; RECORD=1 writes all of it anew
	@.ci/deps build bench
	@$(MAKE) --no-print-directory build
	@loadtest/instructions $(BUILD) $(if $(RECORD),--record)

bench: ## speed and memory side by side with HAProxy, nginx, nghttpx, Envoy, grpc-gateway and Vanguard, in 20 minutes; ONLY='TLS' selects, RECORD=1 writes docs/performance.md, RESUME=1 goes on
	@.ci/deps build test bench
	@$(MAKE) --no-print-directory build
	@loadtest/run $(BUILD) $(if $(ONLY),--only '$(ONLY)') $(if $(RECORD),--record) $(if $(RESUME),--resume)

benchmarks: instructions ## that, and every load test; hours
	@meson test -C $(BUILD) --benchmark --verbose

conformance: ## the standards' own test suites (they want a Go newer than Debian's)
	@.ci/deps build conformance
	@$(MAKE) --no-print-directory build
	@meson test -C $(BUILD) --suite conformance --suite conformance-dashboards --suite conformance-operations --suite conformance-google --suite conformance-authz --verbose

conformance-dashboards: ## dashboards of `passerelle monitoring` are read strictly by Grafana's own types, and profiles by Go's pprof
	@.ci/deps build conformance
	@$(MAKE) --no-print-directory build
	@meson test -C $(BUILD) --suite conformance-dashboards --verbose

conformance-authz: ## Istio's policy server, from the Go module proxy, decides about calls of each dialect
	@.ci/deps build demo test conformance
	@$(MAKE) --no-print-directory build
	@meson test -C $(BUILD) --suite conformance-authz --verbose

conformance-tracing: ## a request through two services that OpenTelemetry's SDK, from PyPI, instruments, and through the gateway, is one tree of spans
	@.ci/deps build
	@$(MAKE) --no-print-directory build
	@meson test -C $(BUILD) --suite conformance-tracing --verbose

conformance-collector: ## the Collector of OpenTelemetry, built from the Go module proxy, gets spans, metrics and the log (it wants a Go newer than Debian's)
	@.ci/deps build conformance
	@$(MAKE) --no-print-directory build
	@meson test -C $(BUILD) --suite conformance-collector --verbose

conformance-openapi: ## documents of the shop's versions under openapi-spec-validator, schemathesis and openapi-python-client, from PyPI; ONLY='orders v3'; half an hour
	@.ci/deps build demo test
	@$(MAKE) --no-print-directory build
	@tests/conformance/openapi.sh $(BUILD)/passerelle build-openapi $(ONLY)

conformance-operations: ## Google's long-running client, from PyPI, against operations of jobs
	@.ci/deps build
	@$(MAKE) --no-print-directory build
	@meson test -C $(BUILD) --suite conformance-operations --verbose

conformance-google: ## a REST client that Google's own generator, from PyPI, makes of an API's schema, and gapic-showcase with its compliance suite, from the Go module proxy
	@.ci/deps build conformance
	@$(MAKE) --no-print-directory build
	@meson test -C $(BUILD) --suite conformance-google --verbose

format: ## clang-format over our C
	@.ci/deps format
	@files=$$(git ls-files $(SOURCES)) && clang-format -i $$files

format-check: ## fails where format would change something
	@.ci/deps format
	@files=$$(git ls-files $(SOURCES)) && clang-format --dry-run -Werror $$files

tidy: ## clang-tidy over our C and headers; every finding is an error. Three minutes on two cores
	@.ci/deps build format
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 tests/tidy.py $(BUILD)

docs: ## build-docs/index.html: the documentation as a site that needs no network, made with mkdocs; each link in it is followed
	@.ci/deps docs
	@mkdocs build --quiet --clean
	@echo build-docs/index.html

clean: ## remove every build folder
	@rm -rf build build-asan build-tsan build-clang build-coverage build-mutants build-openapi build-deb build-dist build-docs
