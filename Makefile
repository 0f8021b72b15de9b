# gumbeld. `make run` and `make test` install what is missing (Debian 12 and 13), build, and run.
#
#   make              build/gumbeld
#   make run          the server, on ARGS or 127.0.0.1:8080
#   make test         unit, contract and integration tests
#   make help         everything else
#
# V=1 shows the commands; WERROR=1 makes warnings errors.

VERSION := 0.1.0
VARIANT ?= release
CC      ?= gcc
ARCH    := $(shell uname -m)

.DEFAULT_GOAL := build/gumbeld
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# ---- What is built from what -------------------------------------------------------------------------------

OUT := build/$(VARIANT)
# The kernels start no threads and share nothing: the thread sanitizer's are the release's.
KERNEL_VARIANT := $(if $(filter tsan,$(VARIANT)),release,$(VARIANT))
KERNEL_OUT     := build/$(KERNEL_VARIANT)

ISAS_x86_64  := sse2 avx2 avx512
ISAS_aarch64 := neon
ISAS := $(ISAS_$(ARCH))

KERNEL_SOURCES := $(wildcard core/*/kernels.c)
CORE_SOURCES   := $(wildcard core/*.c)
API_SOURCES    := $(wildcard api/*.c api/*/*.c api/*/*.S)
SERVER_SOURCES := $(wildcard server/*.c)
TEST_SOURCES   := $(wildcard tests/*.c tests/core/*.c tests/api/*.c tests/server/*.c) \
                  tests/fuzz/compare.c tests/fuzz/reference.c tests/fuzz/one.c
BOTH_SOURCES   := $(wildcard tests/core/both/*.c)

object = $(patsubst %,$(OUT)/%.o,$(basename $(1)))
CORE_OBJECTS   := $(call object,$(CORE_SOURCES)) \
                  $(foreach isa,$(ISAS),$(foreach bits,32 64,$(patsubst %.c,$(KERNEL_OUT)/%-$(isa)-f$(bits).o,$(KERNEL_SOURCES))))
API_OBJECTS    := $(call object,$(API_SOURCES))
SERVER_OBJECTS := $(call object,$(SERVER_SOURCES))
SERVER_PARTS   := $(filter-out $(OUT)/server/main.o,$(SERVER_OBJECTS))
TEST_OBJECTS   := $(call object,$(TEST_SOURCES)) \
                  $(foreach bits,32 64,$(patsubst %.c,$(OUT)/%-f$(bits).o,$(BOTH_SOURCES)))

# The release binary has the short name; every other variant stays in its folder.
BINARY := $(if $(filter release,$(VARIANT)),build,$(OUT))/gumbeld

# ---- Flags -------------------------------------------------------------------------------------------------

# Instrumented code makes gcc see what cannot be (its manual says so): there a warning stays one.
WERROR_release := $(if $(WERROR),-Werror)
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wno-psabi $(WERROR_$(VARIANT))
COMMON := -std=gnu11 -g -pthread -fno-omit-frame-pointer -MMD -MP $(WARNINGS)

COMMON_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LINK_release   := -pie -Wl,-z,relro,-z,now
COMMON_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
LINK_asan      := -fsanitize=address,undefined
# Not optimised like the release's: that takes four times as long to compile as all their tests to run.
KERNEL_asan    := -O1 -fno-schedule-insns
COMMON_tsan    := -O1 -fsanitize=thread
LINK_tsan      := -fsanitize=thread

# Bit-identical results: no contraction of a*b+c but where the source writes it out.
CORE_FLAGS := -ffp-contract=off
KERNEL_FLAGS := $(CORE_FLAGS) -O3 -fno-math-errno -fno-trapping-math -fschedule-insns
KERNEL_sse2   :=
KERNEL_avx2   := -mavx2 -mfma
KERNEL_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
KERNEL_neon   :=

# A layer sees its own headers and those below: server -> api -> core. `make check-layers` proves more.
INCLUDE_core   := -Icore
INCLUDE_api    := -Iapi -Icore
INCLUDE_server := -Iserver -Iapi -Icore
INCLUDE_tests  := -Itests -Iserver -Iapi -Icore

LIBRARIES := -lmicrohttpd -ljansson -luv -lz -lm
CHECK_CFLAGS = $(shell pkg-config --cflags check)
CHECK_LIBS   = $(shell pkg-config --libs check)

# ---- The product -------------------------------------------------------------------------------------------

$(BINARY): $(SERVER_OBJECTS) $(API_OBJECTS) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

define kernel-rules
$(KERNEL_OUT)/core/%-$(1)-f$(2).o: ISA := $(1)
$(KERNEL_OUT)/core/%-$(1)-f$(2).o: REAL := $(2)
$(KERNEL_OUT)/core/%-$(1)-f$(2).o: core/%.c Makefile; $$(compile-kernel)
endef
$(foreach isa,$(ISAS),$(foreach bits,32 64,$(eval $(call kernel-rules,$(isa),$(bits)))))

define compile-kernel
$(call say,CC,$< $(ISA) f$(REAL))
@mkdir -p $(@D)
$(Q)$(CC) $(COMMON) $(COMMON_$(KERNEL_VARIANT)) $(INCLUDE_core) $(KERNEL_FLAGS) $(KERNEL_$(ISA)) $(KERNEL_$(VARIANT)) -DCORE_TARGET=$(ISA) -DCORE_REAL=$(REAL) $(CFLAGS) -c -o $@ $<
endef

define compile
$(call say,CC,$<)
@mkdir -p $(@D)
$(Q)$(CC) $(COMMON) $(COMMON_$(VARIANT)) $(1) $(CFLAGS) -c -o $@ $<
endef

$(OUT)/core/%.o: core/%.c Makefile
	$(call compile,$(INCLUDE_core) $(CORE_FLAGS))
$(OUT)/api/%.o: api/%.c Makefile
	$(call compile,$(INCLUDE_api) -DGUMBELD_VERSION='"$(VERSION)"')
$(OUT)/server/%.o: server/%.c Makefile
	$(call compile,$(INCLUDE_server) -DGUMBELD_VERSION='"$(VERSION)"')
$(foreach bits,32 64,$(eval $(OUT)/tests/core/both/%-f$(bits).o: tests/core/both/%.c Makefile; \
    $$(call compile,$(INCLUDE_tests) $(CORE_FLAGS) $$(CHECK_CFLAGS) -DTEST_REAL=$(bits) -DCORE_REAL=$(bits))))
$(OUT)/tests/%.o: tests/%.c Makefile
	$(call compile,$(INCLUDE_tests) $(CHECK_CFLAGS) -DGUMBELD_BINARY='"$(BINARY)"' -DSCARCE_LIBRARY='"$(OUT)/tests/scarce.so"')

$(OUT)/api/documents/openapi_data.o: api/documents/openapi_data.S api/openapi.yaml build/openapi.json Makefile
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DOPENAPI_JSON='"build/openapi.json"' -DOPENAPI_YAML='"api/openapi.yaml"' -o $@ $<

build/openapi.json: api/openapi.yaml
	$(call say,JSON,$<)
	@mkdir -p $(@D)
	$(Q)perl -MYAML::PP -MJSON::PP -e 'print JSON::PP->new->canonical->utf8->encode(YAML::PP->new(boolean => "JSON::PP")->load_file(shift))' $< >$@

PAGES := docs playground
$(OUT)/api/documents/pages_data.o: api/documents/pages_data.S $(PAGES:%=api/pages/%.html) $(PAGES:%=build/%.policy) Makefile
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DDOCS_HTML='"api/pages/docs.html"' -DDOCS_POLICY='"build/docs.policy"' \
	    -DPLAYGROUND_HTML='"api/pages/playground.html"' -DPLAYGROUND_POLICY='"build/playground.policy"' -o $@ $<

# The Content-Security-Policy of a page: its own script and style, by their hashes, and this server's answers.
build/%.policy: api/pages/%.html Makefile
	$(call say,CSP,$<)
	@mkdir -p $(@D)
	$(Q)perl -MDigest::SHA=sha256_base64 -0777 -ne \
	    'sub hash { my ($$tag, $$page) = @_; join " ", map { "\x27sha256-" . sha256_base64($$_) . "=\x27" } $$page =~ m{<$$tag>(.*?)</$$tag>}gs } \
	    print "default-src \x27none\x27; script-src ", hash("script", $$_), "; style-src ", hash("style", $$_), "; connect-src \x27self\x27; img-src data:; base-uri \x27none\x27; form-action \x27none\x27; frame-ancestors \x27none\x27"' $< >$@

# ---- Tests -------------------------------------------------------------------------------------------------

# A program linked with WRAPPED counts the memory that the project's own objects take. tests/record.c stands before
# api_answer, to write down what is asked.
WRAPPED := $(foreach name,malloc calloc realloc free,-Wl,--wrap=$(name))
$(OUT)/tests/run: | $(OUT)/tests/scarce.so
$(OUT)/tests/run: $(TEST_OBJECTS) $(SERVER_PARTS) $(API_OBJECTS) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(WRAPPED) -Wl,--wrap=api_answer $(LDFLAGS) -o $@ $^ $(LIBRARIES) $(CHECK_LIBS)

# Goes before the server in its process, where a test wants memory or threads to be short.
$(OUT)/tests/scarce.so: tests/scarce/scarce.c Makefile
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) -O1 -shared -fPIC -o $@ $<

$(OUT)/tests/run-soak: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/soak/*.c)) $(API_OBJECTS) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^ $(LIBRARIES)

$(OUT)/tests/hostile-load: $(OUT)/tests/hostile/load.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^
$(OUT)/tests/fail-allocation.so: tests/hostile/fail_allocation.c Makefile
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(COMMON)) -O1 -fPIC -shared $(LDFLAGS) -o $@ $<

.PHONY: check run test asan tsan check-layers lint soak hostile image-test bare-test bench bench-core bench-codec \
        bench-http test-isa exhaustive stats vectors check-vectors fuzz-differential fuzz fuzz-http clean help agreement \
        test-clients lint-spec test-prism test-schema test-typescript

# A second make reads the Makefile anew, when all that is needed is installed.
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

# The tests without installing anything; of the distributions those that 10^7 draws can tell.
check: $(BINARY) $(OUT)/tests/run $(OUT)/tests/run-stats
	$(Q)$(OUT)/tests/run
	$(Q)$(OUT)/tests/run-stats --draws 10000000 --quiet

run: deps
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)exec build/gumbeld $(ARGS)

test: deps test-deps
	$(Q)$(SUBMAKE) check

# The same tests on instrumented builds; what has no threads is left out of tsan.
asan: deps test-deps
	$(Q)$(SUBMAKE) VARIANT=asan build/asan/gumbeld build/asan/tests/run
	$(Q)tests/in-parallel build/asan/tests/run core core-float64 api server memory -- server-time
tsan: deps test-deps
	$(Q)$(SUBMAKE) VARIANT=tsan build/tsan/gumbeld build/tsan/tests/run
	$(Q)TSAN_OPTIONS=halt_on_error=1:suppressions=tests/tsan-suppressions \
	    tests/in-parallel build/tsan/tests/run api server -- server-time

# That server -> api -> core holds in sources and objects.
check-layers: deps
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)tests/check-layers build/release

lint: lint-deps
	$(Q)clang-format --dry-run --Werror $(wildcard core/*.[ch] core/*/*.[ch] api/*.[ch] api/*/*.[ch] server/*.[ch] tests/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])
	$(Q)shellcheck $(SCRIPTS)

# 1,000 connections, mixed requests, clients that die: every answer is checked. SOAK_FLAGS='-c 10000 -s 60'.
soak: deps test-deps
	$(Q)$(SUBMAKE) build/gumbeld build/release/tests/run-soak
	$(Q)build/release/tests/run-soak $(SOAK_FLAGS)

# Adversaries, overload, drains and killed replicas: HOSTILE_FLAGS='--short [PART...]'. Memory cgroups need root.
hostile: deps hostile-deps
	$(Q)$(SUBMAKE) build/gumbeld build/release/tests/hostile-load build/release/tests/fail-allocation.so
	$(Q)tests/hostile/run $(HOSTILE_FLAGS)

# Clients of others against a server: NumPy and requests, Triton's, KServe's.
test-clients: deps client-deps build/venv-clients/installed
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)tests/clients/run

build/venv-clients/installed: tests/clients/requirements.txt
	$(Q)python3 -m venv build/venv-clients
	$(Q)build/venv-clients/bin/pip install --quiet -r $<
	$(Q)touch $@

# The container image, built and run without a Docker engine. Needs root.
image-test: image-deps
	$(Q)tests/image/run

# `make run` and `make test` on a bare system: SUITE=bookworm or trixie. Needs root.
SUITE ?= trixie
bare-test: image-deps
	$(Q)tests/bare/run $(SUITE)

# Against FastAPI + uvicorn + torch, in the same run.
bench: bench-core bench-codec bench-http
bench-http: deps bench-deps build/venv-bench/installed
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)tests/bench/http/bench $(BENCH_HTTP_FLAGS)

build/venv-bench/installed: tests/bench/http/requirements.txt
	$(Q)python3 -m venv build/venv-bench
	$(Q)build/venv-bench/bin/pip install --quiet -r $<
	$(Q)touch $@

# The core against torch and memcpy, on the same buffers in one process.
COMMON_bench := $(filter-out -fPIE,$(COMMON_release)) -fPIC
$(OUT)/libcore.so: $(OUT)/tests/bench/core/calls.o $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -pthread $(LDFLAGS) -o $@ $^
bench-core: deps bench-deps build/venv-bench/installed
	$(Q)$(SUBMAKE) VARIANT=bench build/bench/libcore.so
	$(Q)build/venv-bench/bin/python tests/bench/core/bench $(BENCH_CORE_FLAGS)
	$(Q)/usr/bin/python3 tests/bench/core/bench $(BENCH_CORE_FLAGS)

# Reading and writing JSON against simdjson, orjson and jansson, on one core.
build/venv-codec/installed: tests/bench/codec/requirements.txt
	$(Q)python3 -m venv build/venv-codec
	$(Q)build/venv-codec/bin/pip install --quiet -r $<
	$(Q)touch $@
$(OUT)/libcodec.so: $(OUT)/tests/bench/codec/calls.o $(OUT)/tests/memory.o $(API_OBJECTS) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -pthread $(WRAPPED) $(LDFLAGS) -o $@ $^ -ljansson -lm
$(OUT)/libsimdjson_peer.so: tests/bench/codec/simdjson.cc Makefile
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)g++ -std=gnu++17 -O3 -fPIC -shared -o $@ $< -lsimdjson
bench-codec: deps codec-bench-deps build/venv-codec/installed
	$(Q)$(SUBMAKE) VARIANT=bench build/bench/libcodec.so build/bench/libsimdjson_peer.so
	$(Q)build/venv-codec/bin/python tests/bench/codec/bench $(BENCH_CODEC_FLAGS)

# The core's results against torch's, NumPy's and JAX's.
build/venv-agreement/installed: tests/agreement/requirements.txt
	$(Q)python3 -m venv build/venv-agreement
	$(Q)build/venv-agreement/bin/pip install --quiet -r $<
	$(Q)touch $@
agreement: deps agreement-deps build/venv-bench/installed build/venv-agreement/installed
	$(Q)$(SUBMAKE) VARIANT=bench build/bench/libcore.so
	$(Q)python3 tests/agreement/run

# The core's bits on every instruction set, natively and under qemu; `exhaustive` over all 2^32 inputs.
ISA_ENVIRONMENT = CC='$(CC)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' CORE_SOURCES='$(CORE_SOURCES)' \
    KERNEL_SOURCES='$(KERNEL_SOURCES)' COMMON_FLAGS='$(COMMON) $(COMMON_release) $(INCLUDE_core)' \
    CORE_FLAGS='$(CORE_FLAGS)' KERNEL_FLAGS='$(KERNEL_FLAGS)' \
    $(foreach isa,$(ISAS_x86_64) $(ISAS_aarch64),KERNEL_$(isa)='$(KERNEL_$(isa))')
test-isa: deps isa-deps
	$(Q)$(ISA_ENVIRONMENT) tests/isa/run $(or $(ISA_MODE),digest)
exhaustive: deps isa-deps
	$(Q)$(ISA_ENVIRONMENT) tests/isa/run exhaustive

# The noise's and the samples' distributions: 10^9 draws, or STATS_FLAGS='--draws N'.
$(OUT)/tests/run-stats: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/stats/*.c)) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^ -lm
stats: deps
	$(Q)$(SUBMAKE) build/release/tests/run-stats
	$(Q)build/release/tests/run-stats $(STATS_FLAGS)

# The published vectors: written anew, or compared with what the core gives and with a second implementation.
VECTORS := noise softmax gumbel_softmax categorical schedule vjp
$(OUT)/tests/make-vectors: $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/vectors/*.c)) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^ -lm
vectors: deps
	$(Q)$(SUBMAKE) build/release/tests/make-vectors
	$(Q)for name in $(VECTORS); do build/release/tests/make-vectors $$name >api/vectors/$$name.json || exit 1; done
check-vectors: deps vector-deps
	$(Q)$(SUBMAKE) build/release/tests/make-vectors
	$(Q)for name in $(VECTORS); do \
	    build/release/tests/make-vectors $$name | cmp - api/vectors/$$name.json || exit 1; done
	$(Q)python3 -B tests/vectors/check.py

# The readers of bodies against jansson's tree, on generated documents: FUZZ_FLAGS='--documents N --processes N'.
FUZZ_PARTS := tests/fuzz/compare.c tests/fuzz/reference.c
$(OUT)/tests/run-differential: $(call object,$(FUZZ_PARTS) tests/fuzz/generate.c tests/fuzz/differential.c) \
                               $(API_OBJECTS) $(CORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $^ -ljansson -lm
fuzz-differential: deps
	$(Q)$(SUBMAKE) build/release/tests/run-differential
	$(Q)build/release/tests/run-differential $(FUZZ_FLAGS)

# libFuzzer on whole requests, with jansson compiled in: FUZZ_SECONDS of it, from tests/fuzz/corpus. What it finds
# goes to tests/fuzz/regression.
FUZZ_SECONDS ?= 60
FUZZ_CC       = clang-$(CLANG)
FUZZ_COMMON  := -g -O1 -pthread -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_JANSSON := -DHAVE_STDINT_H -DHAVE_UNISTD_H -DHAVE_SYS_TIME_H -DHAVE_GETTIMEOFDAY -DHAVE_GETPID -DHAVE_LOCALECONV \
                -DHAVE_ATOMIC_BUILTINS
build/fuzz/jansson/src/jansson_config.h: tests/fuzz/jansson
	$(call say,FETCH,jansson)
	$(Q)tests/fuzz/jansson build/fuzz/jansson
build/fuzz/fuzz_api: $(wildcard tests/fuzz/*.[ch] api/*.[ch] api/*/*.[ch]) $(CORE_SOURCES) build/fuzz/jansson/src/jansson_config.h \
                     $(patsubst %,build/release/%,$(patsubst %.c,%.o,$(CORE_SOURCES))) \
                     $(patsubst %.S,build/release/%.o,$(filter %.S,$(API_SOURCES))) \
                     $(foreach isa,$(ISAS),$(foreach bits,32 64,$(patsubst %.c,build/release/%-$(isa)-f$(bits).o,$(KERNEL_SOURCES))))
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_COMMON) -std=gnu11 $(FUZZ_JANSSON) -DGUMBELD_VERSION='"$(VERSION)"' -Itests -Iapi -Icore \
	    -Ibuild/fuzz/jansson/src -o $@ tests/fuzz/fuzz_api.c tests/fuzz/one.c $(filter %.c,$(API_SOURCES)) \
	    build/fuzz/jansson/src/*.c $(filter %.o,$^) -lm
fuzz: deps fuzz-deps
	$(Q)$(SUBMAKE) build/fuzz/fuzz_api
	$(Q)mkdir -p build/fuzz/corpus
	$(Q)build/fuzz/fuzz_api -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -dict=tests/fuzz/api.dict \
	    -artifact_prefix=tests/fuzz/regression/ -print_final_stats=1 $(LIBFUZZER_FLAGS) build/fuzz/corpus tests/fuzz/corpus

# Raw HTTP against a server with small limits, for FUZZ_SECONDS. What it finds goes to tests/server/http-corpus.
fuzz-http: deps fuzz-http-deps
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)python3 -B tests/fuzz/http/fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_HTTP_FLAGS)

# The specification: its own rules; the server behind a proxy that validates; generated calls, right and wrong ones; and a
# client made from it.
build/node-spec/installed: tests/spec/package.json tests/spec/package-lock.json tests/spec/.npmrc
	$(Q)mkdir -p $(@D)
	$(Q)cp $^ $(@D)
	$(Q)cd $(@D) && npm ci --silent
	$(Q)touch $@
build/venv-spec/installed: tests/spec/requirements.txt
	$(Q)python3 -m venv build/venv-spec
	$(Q)build/venv-spec/bin/pip install --quiet -r $<
	$(Q)touch $@
lint-spec: spec-deps build/node-spec/installed
	$(Q)REDOCLY_TELEMETRY=off build/node-spec/node_modules/.bin/redocly lint --extends recommended-strict api/openapi.yaml
test-prism: deps test-deps spec-deps build/node-spec/installed
	$(Q)$(SUBMAKE) build/gumbeld build/release/tests/run
	$(Q)tests/spec/with-server tests/spec/prism
	$(Q)rm -rf build/requests && mkdir build/requests
	$(Q)TEST_RECORD=build/requests build/release/tests/run api server server-time >build/requests.log || { cat build/requests.log; false; }
	$(Q)tests/spec/with-server node tests/spec/replay.mjs build/requests
test-schema: deps spec-deps build/venv-spec/installed
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)tests/spec/with-server tests/spec/schema $(SCHEMA_FLAGS)
test-typescript: deps spec-deps build/node-spec/installed
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)tests/spec/with-server tests/clients/typescript/run

clean:
	rm -rf build

help:
	$(Q)sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile
	$(Q)echo 'make check | asan | tsan | check-layers | lint | soak | hostile | image-test | bare-test | clean | test-isa'
	$(Q)echo 'make exhaustive | stats | vectors | check-vectors | agreement | fuzz | fuzz-http | fuzz-differential | bench-core'
	$(Q)echo 'make bench-codec | bench-http | test-clients | lint-spec | test-prism | test-schema | test-typescript'

# ---- Debian packages ---------------------------------------------------------------------------------------

DEPS       := gcc libc6-dev libmicrohttpd-dev libjansson-dev libuv1-dev zlib1g-dev perl libyaml-pp-perl
TEST_DEPS  := check pkg-config
LINT_DEPS  := clang-format shellcheck
HOSTILE_DEPS := python3 util-linux haproxy nginx-light
IMAGE_DEPS := buildah podman runc slirp4netns debootstrap catatonit curl python3
BENCH_DEPS := wrk python3 python3-venv python3-torch util-linux
CODEC_BENCH_DEPS := g++ libsimdjson-dev python3 python3-venv
ISA_DEPS   := gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
VECTOR_DEPS := python3
CLIENT_DEPS := python3 python3-venv
FUZZ_HTTP_DEPS := python3
SPEC_DEPS  := nodejs $(if $(shell command -v npm),,npm) python3 python3-venv util-linux
CLANG      := $(if $(filter 12.%,$(shell cat /etc/debian_version 2>/dev/null)),14,19)
FUZZ_DEPS  := clang-$(CLANG) libclang-rt-$(CLANG)-dev debian-archive-keyring
AGREEMENT_DEPS := python3 python3-venv python3-torch python3-numpy

SCRIPTS := $(wildcard .ci/run tests/check-layers tests/in-parallel tests/image/run tests/bare/run tests/bare/base tests/isa/run tests/fuzz/jansson \
             tests/clients/run tests/spec/with-server tests/clients/typescript/run)
JOBS    := $(shell nproc)

.PHONY: deps test-deps lint-deps hostile-deps image-deps bench-deps codec-bench-deps isa-deps vector-deps fuzz-deps fuzz-http-deps \
        agreement-deps client-deps spec-deps
deps:       ; $(call install,$(DEPS))
test-deps:  ; $(call install,$(TEST_DEPS))
lint-deps:  ; $(call install,$(LINT_DEPS))
hostile-deps: ; $(call install,$(HOSTILE_DEPS))
image-deps: ; $(call install,$(IMAGE_DEPS))
bench-deps: ; $(call install,$(BENCH_DEPS))
codec-bench-deps: ; $(call install,$(CODEC_BENCH_DEPS))
isa-deps:   ; $(call install,$(ISA_DEPS))
vector-deps: ; $(call install,$(VECTOR_DEPS))
client-deps: ; $(call install,$(CLIENT_DEPS))
fuzz-deps:  ; $(call install,$(FUZZ_DEPS))
fuzz-http-deps: ; $(call install,$(FUZZ_HTTP_DEPS))
agreement-deps: ; $(call install,$(AGREEMENT_DEPS))
spec-deps:  ; $(call install,$(SPEC_DEPS))

# Installs what is missing of the packages, and says nothing if that is none.
define install
$(Q)missing=$$(for p in $(1); do \
    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
if [ -n "$$missing" ]; then \
    root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
    echo "installing" $$missing; \
    $$root apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive $$root apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
fi
endef

-include $(patsubst %.o,%.d,$(CORE_OBJECTS) $(API_OBJECTS) $(SERVER_OBJECTS) $(TEST_OBJECTS)) \
         $(wildcard $(OUT)/tests/stats/*.d $(OUT)/tests/vectors/*.d)
