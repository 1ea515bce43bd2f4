# The two commands that matter are `make run` and `make test`; `make help` lists the rest.

TOOLS := $(CURDIR)/.tools
NATS_CLI_VERSION := v0.5.1
COMPOSE_SPEC_VERSION := v2.16.2
KUBERNETES_VALIDATE_VERSION := 1.37.0
# The programs find a fetched nats-server there; scripts find the CLI.
export PATH := $(TOOLS):$(PATH)

.DEFAULT_GOAL := help

PLANS := 100

# Most tests wait for what they started most of the time.
export RUST_TEST_THREADS ?= $(shell echo $$((3 * $$(nproc 2>/dev/null || echo 2))))

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: nats-server ## Build and start everything that a person needs to chat; stores under ./data
	cargo build --release --package natter
	@exec ./target/release/natter serve

test: nats-server nats-cli deploy-tools ## Run every test, on real servers and on both databases
	@# First, and by itself: a changed type breaks the build of much else, and only this says what to do.
	cargo test --package broker-schemas --test lock
	cargo build --workspace --bins
	tests/tools/with-postgres.sh cargo test --workspace
	@# Once more, with the administration down: people notice nothing of it. The rest of this is `make without-admin`.
	NATTER_TEST_WITHOUT=admin cargo test --workspace --test conversation

# Suites of what people do. None of it needs the administration.
OF_PEOPLE := account clients conversation crowd edge group_outbox groups hostile kicks plans presence restarts resume rights terminal \
	whole_conversations

without-admin: nats-server ## Run the suites of what people do with the administration down, on both databases
	cargo build --workspace --bins
	NATTER_TEST_WITHOUT=admin tests/tools/with-postgres.sh \
		cargo test --workspace $(foreach suite,$(OF_PEOPLE),--test $(suite))

lint: ## Check format, lints and shell scripts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	@if command -v shellcheck >/dev/null; then shellcheck $$(git ls-files '*.sh' .ci/run); else echo "shellcheck is not installed: scripts not checked"; fi

# Programs with points at which they can be made to die, apart from those that people run.
FAULTS := $(or $(CARGO_TARGET_DIR),target)/faults
BUILD_FAULTS := cargo build --profile faults --workspace --bins --features natter-host/failpoints
# PLANT=ack-before-commit: a message module that acks what it has not committed yet, in the rows that must notice it.
PLANTED := $(if $(PLANT),NATTER_FAILPOINTS=message.send.$(subst -,_,$(PLANT))=on)

faults: nats-server ## Break everything once, under load, on both databases; ROWS="--row zombie --seed 2" for less, PLANT=ack-before-commit for a bug
	$(BUILD_FAULTS)
	$(PLANTED) tests/tools/with-postgres.sh tests/tools/faults.sh $(FAULTS)/natter-faults \
		$(or $(ROWS),$(if $(PLANT),--row death-at-a-point --row module-dies)) $(if $(UPDATE),--write docs/FAULTS.md)

soak: nats-server ## Random faults under load for MINUTES=20; in the end nothing is violated and memory is level; DATABASE=postgres SEED=2 for others
	$(BUILD_FAULTS)
	tests/tools/with-postgres.sh tests/tools/faults.sh $(FAULTS)/natter-faults \
		--soak $(or $(MINUTES),20) --database $(or $(DATABASE),sqlite) --seed $(or $(SEED),1)

TOPOLOGIES := standalone cluster distributed

topologies: nats-server ## Run the suites that treat the platform from without on each topology as `natter up` runs it; TOPOLOGIES=cluster for one
	cargo build --workspace --bins
	tests/tools/with-postgres.sh tests/tools/topologies.sh $(TOPOLOGIES)

releases: nats-server ## Change parts while people talk: a fix, every part in turn, a release with v2 of a method; UPDATE=1 for docs/FIGURES.md
	cargo build --release --package natter-tests --bin natter-releases
	tests/tools/with-postgres.sh ./target/release/natter-releases $(RELEASES) $(if $(UPDATE),--write docs/FIGURES.md)

plans: nats-server ## Do random plans to the system and to its model, with seeds from the time; PLANS=500 for more
	cargo build --workspace --bins
	NATTER_PLANS=$(PLANS) NATTER_PLAN_SEED=$$(date +%s) tests/tools/with-postgres.sh cargo test --package natter-tests --test plans

bench: nats-server ## Measure, and print what docs/FIGURES.md holds; BENCH=crowd for one of calls, copies, crowd, campaign
	cargo build --release --workspace --bins
	tests/tools/with-postgres.sh ./target/release/natter-bench $(BENCH)

modules: ## Build each part into its own small program
	cargo build --release $(foreach part,user friend group message admin edge,--package natter-$(part))

lock: ## Bring schema.lock, golden bytes and the protocol's tables up to date with new types
	NATTER_UPDATE_LOCK=1 cargo test --package broker-schemas --test lock
	NATTER_UPDATE_DOCS=1 cargo test --package broker-schemas --test protocol_doc

nats-server: ## Get nats-server into ./.tools, unless it is installed
	@infra/nats/get-nats-server.sh

nats-cli: ## Get the NATS CLI into ./.tools, where Go can build it
	@if command -v nats >/dev/null; then :; \
	elif command -v go >/dev/null; then \
		echo "building the NATS CLI for the tests"; \
		GOBIN=$(TOOLS) go install github.com/nats-io/natscli/nats@$(NATS_CLI_VERSION); \
	else echo "Go is not installed: the tests that need the NATS CLI will say that they were skipped"; fi

# The reference implementation of the Compose specification, which Docker's own plugin is made of, and the schemas of Kubernetes.
# A test that lacks its judge says that it was skipped.
deploy-tools: ## Get what judges the files that `natter deploy` writes, where Go and Python can
	@if { docker compose version || command -v docker-compose || command -v compose-spec; } >/dev/null 2>&1; then :; \
	elif command -v go >/dev/null; then \
		echo "building compose-go for the tests"; \
		GOBIN=$(TOOLS)/compose-go go install github.com/compose-spec/compose-go/v2/cmd@$(COMPOSE_SPEC_VERSION) && \
		mv $(TOOLS)/compose-go/cmd $(TOOLS)/compose-spec && rmdir $(TOOLS)/compose-go || echo "compose-go is not to be had"; \
	else echo "neither Docker Compose nor Go is installed"; fi
	@if { command -v kubeconform || command -v kubernetes-validate; } >/dev/null; then :; \
	elif command -v python3 >/dev/null; then \
		echo "getting kubernetes-validate for the tests"; \
		python3 -m venv $(TOOLS)/python && $(TOOLS)/python/bin/pip install --quiet --disable-pip-version-check \
			kubernetes-validate==$(KUBERNETES_VALIDATE_VERSION) && \
		ln -sf python/bin/kubernetes-validate $(TOOLS)/kubernetes-validate || echo "kubernetes-validate is not to be had"; \
	else echo "neither kubeconform nor Python is installed"; fi

clean-data: ## Forget every user and message of this checkout's ./data
	rm -rf data

.PHONY: help run test without-admin lint faults soak topologies releases plans bench modules lock nats-server nats-cli deploy-tools clean-data
