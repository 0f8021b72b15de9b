# Gates and benchmarks beyond `make test`, each with its Debian packages. Included by the Makefile. Environments of
# Python and Node.js are made in build/, their versions pinned beside the gate. .ci/run runs the gates.

GATES := tests/gates

# $(1): the environment's name, $(2): its requirements
define python-environment
build/venv-$(1)/installed: $(2)
	$$(Q)python3 -m venv build/venv-$(1)
	$$(Q)build/venv-$(1)/bin/pip install --quiet -r $$<
	$$(Q)touch $$@
endef

# $(1): the environment's name, $(2): the folder of its package.json
define node-environment
build/node-$(1)/installed: $(addprefix $(2)/,package.json package-lock.json .npmrc)
	$$(Q)mkdir -p $$(@D)
	$$(Q)cp $$^ $$(@D)
	$$(Q)cd $$(@D) && npm ci --silent
	$$(Q)touch $$@
endef

# A program of C files in one folder: $(1) is its name, $(2) the folder, $(3) further objects, $(4) libraries.
define gate-program
$(OUT)/tests/$(1): $(patsubst %.c,$(OUT)/%.o,$(wildcard $(GATES)/$(2)/*.c)) $(3)
	$$(call link,$(4))
endef

.PHONY: gate-deps asan tsan check-layers lint soak hostile coverage image-test bare-test bench bench-http bench-core bench-codec agreement test-isa exhaustive stats \
        vectors check-vectors fuzz-differential fuzz fuzz-http test-clients lint-spec test-prism test-schema \
        test-typescript test-generated

# ---- The code ----------------------------------------------------------------------------------------------

## gate-deps          installs what all gates of .ci/run need, at once
gate-deps:
	$(call install,$(DEPS) $(TEST_DEPS) $(LINT_DEPS) $(HOSTILE_DEPS) $(SPEC_DEPS) $(CLIENTS_DEPS) $(GENERATED_DEPS) $(ISA_DEPS) $(IMAGE_DEPS))

# What gates run on this machine, so that several can run at the same time; and what takes long to compile.
.PHONY: build asan-build tsan-build isa-build
build: deps test-deps
	$(Q)$(SUBMAKE) build/gumbeld $(addprefix build/release/tests/,run run-stats run-soak make-vectors hostile-load)
asan-build tsan-build: %-build: deps test-deps
	$(Q)$(SUBMAKE) VARIANT=$* build/$*/gumbeld build/$*/tests/run
isa-build: deps
	$(call install,$(ISA_DEPS))
	$(call isa-programs,digest)

## asan               the tests under the address and undefined-behaviour sanitizers
COMMON_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
LINK_asan   := -fsanitize=address,undefined
# Not optimised like the release's: that takes four times as long to compile as all their tests to run.
KERNEL_asan := -O1 -fno-schedule-insns
asan: asan-build
	$(Q)tests/lib/run-parts build/asan/tests/run core core-float64 api server memory -- server-time

## tsan               the tests that start threads under the thread sanitizer
COMMON_tsan := -O1 -fsanitize=thread
LINK_tsan   := -fsanitize=thread
tsan: tsan-build
	$(Q)TSAN_OPTIONS=halt_on_error=1:suppressions=$(GATES)/tsan-suppressions \
	    tests/lib/run-parts build/tsan/tests/run api server -- server-time

## check-layers       proves that server -> api -> core holds, and what each folder may include
check-layers: deps
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)$(GATES)/layers/run build/release

## lint               clang-format and shellcheck
LINT_DEPS := clang-format shellcheck
lint:
	$(call install,$(LINT_DEPS))
	$(Q)clang-format --dry-run --Werror $$(find core api server tests -name '*.[ch]')
	$(Q)shellcheck $$(grep -rlE '^#!/bin/(ba)?sh$$' .ci tests)

# ---- Under load and attack ---------------------------------------------------------------------------------

## soak               1,000 connections, mixed requests, clients that die: every answer is compared; SOAK_FLAGS='-c 10000 -s 60'
soak: deps test-deps
	$(Q)$(SUBMAKE) build/gumbeld build/release/tests/run-soak
	$(Q)build/release/tests/run-soak $(SOAK_FLAGS)
$(eval $(call gate-program,run-soak,soak,$(API_OBJECTS) $(CORE_OBJECTS),$(LIBRARIES)))

## hostile            adversaries, overload, drains, killed replicas; HOSTILE_FLAGS='--short [PART...]'; root for memory cgroups
HOSTILE_DEPS := python3 util-linux haproxy nginx-light
hostile: deps
	$(call install,$(HOSTILE_DEPS))
	$(Q)$(SUBMAKE) build/gumbeld build/release/tests/hostile-load build/release/tests/scarce.so
	$(Q)$(GATES)/hostile/run $(HOSTILE_FLAGS)
$(eval $(call gate-program,hostile-load,hostile))

## fuzz               libFuzzer on whole requests, jansson compiled in, for FUZZ_SECONDS; finds go to tests/gates/fuzz/regression
FUZZ_SECONDS ?= 60
CLANG        := $(if $(filter 12.%,$(shell cat /etc/debian_version 2>/dev/null)),14,19)
FUZZ_CC       = clang-$(CLANG)
FUZZ_COMMON  := -g -O1 -pthread -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_JANSSON := -DHAVE_STDINT_H -DHAVE_UNISTD_H -DHAVE_SYS_TIME_H -DHAVE_GETTIMEOFDAY -DHAVE_GETPID -DHAVE_LOCALECONV \
                -DHAVE_ATOMIC_BUILTINS
fuzz: deps
	$(call install,clang-$(CLANG) libclang-rt-$(CLANG)-dev debian-archive-keyring)
	$(Q)$(SUBMAKE) build/fuzz/fuzz_api
	$(Q)mkdir -p build/fuzz/corpus
	$(Q)build/fuzz/fuzz_api -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -dict=$(GATES)/fuzz/api.dict \
	    -artifact_prefix=$(GATES)/fuzz/regression/ -print_final_stats=1 $(LIBFUZZER_FLAGS) build/fuzz/corpus $(GATES)/fuzz/corpus
build/fuzz/jansson/src/jansson_config.h: $(GATES)/fuzz/jansson
	$(call say,FETCH,jansson)
	$(Q)$(GATES)/fuzz/jansson build/fuzz/jansson
build/fuzz/fuzz_api: $(wildcard $(GATES)/fuzz/*.[ch] api/*.[ch] api/*/*.[ch]) build/fuzz/jansson/src/jansson_config.h \
                     $(patsubst %.c,build/release/%.o,$(CORE_SOURCES)) $(patsubst %.S,build/release/%.o,$(filter %.S,$(API_SOURCES))) \
                     $(foreach isa,$(ISAS),$(foreach bits,32 64,$(patsubst %.c,build/release/%-$(isa)-f$(bits).o,$(KERNEL_SOURCES))))
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_COMMON) -std=gnu11 $(FUZZ_JANSSON) -DGUMBELD_VERSION='"$(VERSION)"' -Itests -Iapi -Icore \
	    -Ibuild/fuzz/jansson/src -o $@ $(GATES)/fuzz/fuzz_api.c $(GATES)/fuzz/one.c $(filter %.c,$(API_SOURCES)) \
	    build/fuzz/jansson/src/*.c $(filter %.o,$^) -lm

## fuzz-differential  the readers of bodies against jansson's tree: FUZZ_FLAGS='--documents N --processes N'
fuzz-differential: deps
	$(Q)$(SUBMAKE) build/release/tests/run-differential
	$(Q)build/release/tests/run-differential $(FUZZ_FLAGS)
$(OUT)/tests/run-differential: $(call object,$(addprefix $(GATES)/fuzz/,compare.c reference.c generate.c differential.c)) \
                               $(API_OBJECTS) $(CORE_OBJECTS)
	$(call link,-ljansson -lm)

## fuzz-http          mutated HTTP against a server with small limits; finds go to tests/integration/http-corpus
fuzz-http: deps
	$(call install,python3)
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)python3 -B $(GATES)/fuzz/http/fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_HTTP_FLAGS)

## coverage           lines and branches of api/ and server/ that the tests run, for each file; fails below 99 % and 93 %
build/coverage/gumbeld build/coverage/tests/run: build/coverage/$(GATES)/coverage/ends.o
COMMON_coverage   := -O0 --coverage -fprofile-update=atomic
LINK_coverage     := --coverage -Wl,--wrap=abort,--wrap=_exit
# Not core, which is not counted, nor memory, which takes long at -O0: these reach what is asked without it.
COVERAGE_TESTS    ?= api server server-time
COVERAGE_LINES    ?= 99
COVERAGE_BRANCHES ?= 93
coverage: deps test-deps
	$(call install,gcovr)
	$(Q)rm -rf build/coverage/api build/coverage/server # with what is left of sources that are gone
	$(Q)$(SUBMAKE) VARIANT=coverage build/coverage/gumbeld build/coverage/tests/run
	$(Q)find build/coverage -name '*.gcda' -delete
	$(Q)build/coverage/tests/run $(COVERAGE_TESTS) || true # make test asks whether they pass
	$(Q)gcovr --root . --filter api/ --filter server/ --exclude-unreachable-branches --exclude-throw-branches \
	    --exclude-lines-by-pattern '\s*assert\(.*' --json build/coverage/counts.json build/coverage/api build/coverage/server
	$(Q)gcovr --root . -a build/coverage/counts.json --txt build/coverage/lines.txt
	$(Q)gcovr --root . -a build/coverage/counts.json --branches --txt build/coverage/branches.txt
	$(Q)cat build/coverage/lines.txt build/coverage/branches.txt
	$(Q)gcovr --root . -a build/coverage/counts.json --json-summary build/coverage/summary.json \
	    --fail-under-line $(COVERAGE_LINES) --fail-under-branch $(COVERAGE_BRANCHES)

# ---- The contract, by other people's tools -----------------------------------------------------------------

## test-clients       NumPy and requests, Triton's and KServe's clients, Node's fetch and R's jsonlite, unmodified; published documents
CLIENTS_DEPS := python3 python3-venv nodejs r-base-core r-cran-jsonlite r-cran-curl
test-clients: deps
	$(call install,$(CLIENTS_DEPS))
	$(Q)$(SUBMAKE) build/gumbeld build/venv-clients/installed build/mlserver/installed
	$(Q)$(GATES)/clients/run
$(eval $(call python-environment,clients,$(GATES)/clients/requirements.txt))
# MLServer is not installed: only its OpenAPI documents are read.
build/mlserver/installed: build/venv-clients/installed
	$(Q)rm -rf $(@D)
	$(Q)build/venv-clients/bin/pip download --quiet --no-deps --dest $(@D) mlserver==1.7.1
	$(Q)touch $@

SPEC_DEPS := nodejs $(if $(shell command -v npm),,npm) python3 python3-venv util-linux
$(eval $(call node-environment,spec,$(GATES)/spec))
$(eval $(call python-environment,spec,$(GATES)/spec/requirements.txt))

## lint-spec          the rules of OpenAPI 3.1 for api/openapi.yaml (Redocly)
lint-spec:
	$(call install,$(SPEC_DEPS))
	$(Q)$(SUBMAKE) build/node-spec/installed
	$(Q)REDOCLY_TELEMETRY=off build/node-spec/node_modules/.bin/redocly lint --extends recommended-strict api/openapi.yaml

## test-prism         a validating proxy before the server, asked what all tests ask (Prism)
test-prism: deps test-deps
	$(call install,$(SPEC_DEPS))
	$(Q)$(SUBMAKE) build/gumbeld build/release/tests/run build/node-spec/installed
	$(Q)$(GATES)/spec/with-server $(GATES)/spec/prism
	$(Q)[ build/release/requests/complete -nt build/release/tests/run ] || $(SUBMAKE) check
	$(Q)$(GATES)/spec/with-server node $(GATES)/spec/replay.mjs build/release/requests

## test-schema        calls made from the contract, right and wrong ones (Schemathesis); SCHEMA_FLAGS='--cases 100'
test-schema: deps
	$(call install,$(SPEC_DEPS))
	$(Q)$(SUBMAKE) build/gumbeld build/venv-spec/installed
	$(Q)$(GATES)/spec/with-server $(GATES)/spec/schema $(SCHEMA_FLAGS)

## test-typescript    a typed client made from the contract
test-typescript: deps
	$(call install,$(SPEC_DEPS))
	$(Q)$(SUBMAKE) build/gumbeld build/node-spec/installed
	$(Q)$(GATES)/spec/with-server $(GATES)/clients/typescript/run

## test-generated     clients that generators make, Postman's importer, Swagger UI and RapiDoc in Chromium: all functions called
GENERATED_DEPS := $(SPEC_DEPS) default-jre-headless golang-go chromium nginx-light
test-generated: deps
	$(call install,$(GENERATED_DEPS))
	$(Q)$(SUBMAKE) build/gumbeld build/venv-generated/installed build/node-generated/installed
	$(Q)$(GATES)/spec/with-server $(GATES)/clients/generated/run
$(eval $(call python-environment,generated,$(GATES)/clients/generated/requirements.txt))
$(eval $(call node-environment,generated,$(GATES)/clients/generated))

# ---- The bits and the distributions ------------------------------------------------------------------------

## test-isa           golden hashes on every instruction set, natively and under qemu; ISA_MODE=golden writes them
ISA_DEPS  := gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
ISA_MODE  ?= digest
test-isa: isa-build
	$(Q)$(GATES)/isa/run $(ISA_MODE)

## exhaustive         exp, log and the exponentials of the noise over all 2^32 inputs
exhaustive: deps
	$(call install,$(ISA_DEPS))
	$(call isa-programs,exhaustive)
	$(Q)$(GATES)/isa/run exhaustive

# The release's kernels on this machine, and on an x86-64 those of aarch64 too. The programs are static, so that a foreign
# machine's needs no libraries of its own here.
define isa-programs
$(Q)$(SUBMAKE) build/release/tests/isa-$(1)
$(if $(filter x86_64,$(ARCH)),$(Q)$(SUBMAKE) VARIANT=aarch64 ARCH=aarch64 CC='aarch64-linux-gnu-gcc' build/aarch64/tests/isa-$(1))
endef
COMMON_aarch64 := $(COMMON_release)
WERROR_aarch64 := $(WERROR_release)
ISA_LOOPS       = $(foreach isa,$(ISAS),$(KERNEL_OUT)/$(GATES)/isa/loops-$(isa)-f32.o)
$(OUT)/tests/isa-digest: $(call object,$(addprefix $(GATES)/isa/,digest.c functions.c)) $(CORE_OBJECTS)
$(OUT)/tests/isa-exhaustive: $(call object,$(GATES)/isa/exhaustive.c) $(ISA_LOOPS) $(CORE_OBJECTS)
$(OUT)/tests/isa-%:
	$(call say,LINK,$@)
	$(Q)$(CC) -static -pthread $(LDFLAGS) -o $@ $^ -lm

## stats              the noise's and the samples' distributions: 10^9 draws, or STATS_FLAGS='--draws N'
stats: deps
	$(Q)$(SUBMAKE) build/release/tests/run-stats
	$(Q)build/release/tests/run-stats $(STATS_FLAGS)
$(eval $(call gate-program,run-stats,stats,$(CORE_OBJECTS),-lm))

## vectors            writes the published vectors anew
VECTORS := noise streams softmax gumbel_softmax categorical schedule vjp
vectors: deps
	$(Q)$(SUBMAKE) build/release/tests/make-vectors
	$(Q)for name in $(VECTORS); do build/release/tests/make-vectors $$name >api/vectors/$$name.json || exit 1; done
$(eval $(call gate-program,make-vectors,vectors,$(CORE_OBJECTS),-lm))

## check-vectors      the published vectors against the core and a second implementation
check-vectors: deps
	$(call install,python3)
	$(Q)$(SUBMAKE) build/release/tests/make-vectors
	$(Q)for name in $(VECTORS); do \
	    build/release/tests/make-vectors $$name | cmp - api/vectors/$$name.json || exit 1; done
	$(Q)python3 -B $(GATES)/vectors/check.py

## agreement          the core's results against torch's, NumPy's and JAX's
agreement: deps
	$(call install,python3 python3-venv python3-torch python3-numpy)
	$(Q)$(SUBMAKE) build/venv-bench/installed build/venv-agreement/installed
	$(Q)$(SUBMAKE) VARIANT=bench build/bench/libcore.so
	$(Q)python3 $(GATES)/agreement/run
$(eval $(call python-environment,agreement,$(GATES)/agreement/requirements.txt))

# ---- Elsewhere ---------------------------------------------------------------------------------------------

IMAGE_DEPS := buildah podman runc slirp4netns debootstrap catatonit curl python3

## image-test         the container image, built and run without a Docker engine; needs root
image-test:
	$(call install,$(IMAGE_DEPS))
	$(Q)$(GATES)/image/run

## bare-test          make run and make test on a bare system, SUITE=bookworm or trixie; needs root
SUITE ?= trixie
bare-test:
	$(call install,$(IMAGE_DEPS))
	$(Q)$(GATES)/bare/run $(SUITE)

# ---- Benchmarks --------------------------------------------------------------------------------------------

BENCH_DEPS := wrk python3 python3-venv python3-torch util-linux
COMMON_bench := $(filter-out -fPIE,$(COMMON_release)) -fPIC

## bench              all three that follow
bench: bench-core bench-codec bench-http

## bench-http         against FastAPI + uvicorn + torch, in the same run
bench-http: deps
	$(call install,$(BENCH_DEPS))
	$(Q)$(SUBMAKE) build/gumbeld build/venv-bench/installed
	$(Q)$(GATES)/bench/http/bench $(BENCH_HTTP_FLAGS)
$(eval $(call python-environment,bench,$(GATES)/bench/http/requirements.txt))

## bench-core         the core against torch and memcpy, on the same buffers in one process, and its jax stream against JAX
bench-core: deps
	$(call install,$(BENCH_DEPS))
	$(Q)$(SUBMAKE) build/venv-bench/installed build/venv-agreement/installed
	$(Q)$(SUBMAKE) VARIANT=bench build/bench/libcore.so
	$(Q)build/venv-bench/bin/python $(GATES)/bench/core/bench $(BENCH_CORE_FLAGS)
	$(Q)/usr/bin/python3 $(GATES)/bench/core/bench $(BENCH_CORE_FLAGS)
$(OUT)/libcore.so: $(call object,$(addprefix $(GATES)/,bench/core/calls.c agreement/calls.c)) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -pthread $(LDFLAGS) -o $@ $^

## bench-codec        reading and writing JSON against simdjson, orjson and jansson, on one core
bench-codec: deps
	$(call install,g++ libsimdjson-dev python3 python3-venv)
	$(Q)$(SUBMAKE) build/venv-codec/installed
	$(Q)$(SUBMAKE) VARIANT=bench build/bench/libcodec.so build/bench/libsimdjson_peer.so
	$(Q)build/venv-codec/bin/python $(GATES)/bench/codec/bench $(BENCH_CODEC_FLAGS)
$(eval $(call python-environment,codec,$(GATES)/bench/codec/requirements.txt))
$(OUT)/libcodec.so: $(OUT)/$(GATES)/bench/codec/calls.o $(OUT)/tests/lib/memory.o $(API_OBJECTS) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -pthread $(WRAPPED) $(LDFLAGS) -o $@ $^ -ljansson -lm
$(OUT)/libsimdjson_peer.so: $(GATES)/bench/codec/simdjson.cc Makefile
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)g++ -std=gnu++17 -O3 -fPIC -shared -o $@ $< -lsimdjson
