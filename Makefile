# gumbeld: the product and its tests. tests/gates.mk has the other gates and the benchmarks.
# V=1 shows the commands; WERROR=1 makes warnings errors; VARIANT=debug builds another variant.

VERSION := 0.1.0
VARIANT ?= release
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
ARCH    := $(shell uname -m)
PREFIX  ?= /usr/local

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

Q := $(if $(V),,@)
# Begins a recipe: makes the target's folder, and says what is done.
say = @mkdir -p $(@D)$(if $(V),,; printf '  %-7s %s\n' '$(1)' '$(2)')

# ---- What is built from what -------------------------------------------------------------------------------

OUT := build/$(VARIANT)
# The kernels start no threads and share nothing: the thread sanitizer's are the release's. So are coverage's.
KERNEL_VARIANT := $(if $(filter tsan coverage,$(VARIANT)),release,$(VARIANT))
KERNEL_OUT     := build/$(KERNEL_VARIANT)

ISAS_x86_64  := sse2 avx2 avx512
ISAS_aarch64 := neon
ISAS := $(ISAS_$(ARCH))

KERNEL_SOURCES := $(wildcard core/*/kernels.c)
CORE_SOURCES   := $(wildcard core/*.c)
API_SOURCES    := $(wildcard api/*.c api/*/*.c api/*/*.S)
SERVER_SOURCES := $(wildcard server/*.c)
TEST_SOURCES   := $(filter-out tests/lib/scarce.c,$(wildcard tests/lib/*.c tests/unit/*/*.c tests/integration/*.c)) \
                  $(addprefix tests/gates/fuzz/,compare.c reference.c one.c)
BOTH_SOURCES   := $(wildcard tests/unit/core/both/*.c)

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
.DEFAULT_GOAL := $(BINARY)

# ---- Flags -------------------------------------------------------------------------------------------------

# Those of the variants asan, tsan, coverage, aarch64 and bench are beside their gates. Instrumented code makes gcc warn of
# what cannot be (its manual says so): there a warning stays one.
WERROR_release := $(if $(WERROR),-Werror)
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wno-psabi $(WERROR_$(VARIANT))
COMMON   = -std=gnu11 -g -pthread -fno-omit-frame-pointer -MMD -MP $(WARNINGS)

COMMON_release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LINK_release   := -pie -Wl,-z,relro,-z,now
COMMON_debug   := -O0 -g3
KERNEL_debug   := -O0 -g3

# Bit-identical results: no contraction of a*b+c but where the source writes it out. -g1 has the lines of a backtrace and
# no variables: those would take a third of the kernels' time to compile.
CORE_FLAGS   := -ffp-contract=off
KERNEL_FLAGS := $(CORE_FLAGS) -g1 -O3 -fno-math-errno -fno-trapping-math -fschedule-insns
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

# $(1): flags
define compile
$(call say,CC,$<)
$(Q)$(CC) $(COMMON) $(COMMON_$(VARIANT)) $(1) $(CFLAGS) -c -o $@ $<
endef

# $(1): further flags and libraries
define link
$(call say,LINK,$@)
$(Q)$(CC) -pthread $(LINK_$(VARIANT)) $(LDFLAGS) -o $@ $(filter %.o,$^) $(1)
endef

# $(1): instruction set, $(2): bits
define kernel-rule
$(KERNEL_OUT)/%-$(1)-f$(2).o: %.c Makefile
	$$(call say,CC,$$< $(1) f$(2))
	$$(Q)$$(CC) $$(COMMON) $$(COMMON_$(KERNEL_VARIANT)) $$(INCLUDE_core) $$(KERNEL_FLAGS) $$(KERNEL_$(1)) $$(KERNEL_$(KERNEL_VARIANT)) \
	    -DCORE_TARGET=$(1) -DCORE_REAL=$(2) $$(CFLAGS) -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(foreach bits,32 64,$(eval $(call kernel-rule,$(isa),$(bits)))))

$(BINARY): $(SERVER_OBJECTS) $(API_OBJECTS) $(CORE_OBJECTS)
	$(call link,$(LIBRARIES))

$(OUT)/core/%.o: core/%.c Makefile
	$(call compile,$(INCLUDE_core) $(CORE_FLAGS))
$(OUT)/api/%.o: api/%.c Makefile
	$(call compile,$(INCLUDE_api) -DGUMBELD_VERSION='"$(VERSION)"')
$(OUT)/server/%.o: server/%.c Makefile
	$(call compile,$(INCLUDE_server) -DGUMBELD_VERSION='"$(VERSION)"')

# The documents that are served.
PAGES := docs playground
$(OUT)/api/documents/%_data.o: api/documents/%_data.S api/openapi.yaml build/openapi.json \
                               $(PAGES:%=api/pages/%.html) $(PAGES:%=build/%.policy) Makefile
	$(call say,AS,$<)
	$(Q)$(CC) -c -DOPENAPI_JSON='"build/openapi.json"' -DOPENAPI_YAML='"api/openapi.yaml"' \
	    -DDOCS_HTML='"api/pages/docs.html"' -DDOCS_POLICY='"build/docs.policy"' \
	    -DPLAYGROUND_HTML='"api/pages/playground.html"' -DPLAYGROUND_POLICY='"build/playground.policy"' -o $@ $<

# In the order of the document, which is that of the tools' pages.
build/openapi.json: api/openapi.yaml Makefile
	$(call say,JSON,$<)
	$(Q)perl -MYAML::PP -MYAML::PP::Common=PRESERVE_ORDER -MJSON::PP -e \
	    'print JSON::PP->new->utf8->encode(YAML::PP->new(boolean => "JSON::PP", preserve => PRESERVE_ORDER)->load_file(shift))' $< >$@

# The Content-Security-Policy of a page: its own script and style, by their hashes, and this server's answers.
$(PAGES:%=build/%.policy): build/%.policy: api/pages/%.html Makefile
	$(call say,CSP,$<)
	$(Q)perl -MDigest::SHA=sha256_base64 -0777 -ne \
	    'sub hash { my ($$tag, $$page) = @_; join " ", map { "\x27sha256-" . sha256_base64($$_) . "=\x27" } $$page =~ m{<$$tag>(.*?)</$$tag>}gs } \
	    print "default-src \x27none\x27; script-src ", hash("script", $$_), "; style-src ", hash("style", $$_), "; connect-src \x27self\x27; img-src data:; base-uri \x27none\x27; form-action \x27none\x27; frame-ancestors \x27none\x27"' $< >$@

# ---- Its tests ---------------------------------------------------------------------------------------------

$(OUT)/tests/%.o: tests/%.c Makefile
	$(call compile,$(INCLUDE_tests) $(CORE_FLAGS) $(CHECK_CFLAGS) -DGUMBELD_BINARY='"$(BINARY)"' -DSCARCE_LIBRARY='"$(OUT)/tests/scarce.so"')
$(foreach bits,32 64,$(eval $(OUT)/tests/unit/core/both/%-f$(bits).o: tests/unit/core/both/%.c Makefile; \
    $$(call compile,$(INCLUDE_tests) $(CORE_FLAGS) $$(CHECK_CFLAGS) -DTEST_REAL=$(bits) -DCORE_REAL=$(bits))))

# A program linked with WRAPPED counts the memory that the project's own objects take; with RECORDED, tests/lib/record.c
# is called in place of api_answer, to write down what is asked.
WRAPPED  := $(foreach name,malloc calloc realloc free,-Wl,--wrap=$(name))
RECORDED := -Wl,--wrap=api_answer
$(OUT)/tests/run: | $(OUT)/tests/scarce.so
$(OUT)/tests/run: $(TEST_OBJECTS) $(SERVER_PARTS) $(API_OBJECTS) $(CORE_OBJECTS)
	$(call link,$(WRAPPED) $(RECORDED) $(LIBRARIES) $(CHECK_LIBS))

# Preloaded into a server, where a test wants memory or threads to be short.
$(OUT)/tests/scarce.so: tests/lib/scarce.c tests/lib/scarce.h Makefile
	$(call say,LINK,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(COMMON)) -Itests -O1 -shared -fPIC -o $@ $<

# ---- Commands: make help prints the lines with two # --------------------------------------------------------

# A second make reads the Makefile anew, when all that is needed is installed.
SUBMAKE = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
JOBS   := $(shell nproc)

.PHONY: run test check debug install clean help deps test-deps

##                    builds build/gumbeld, where all that it needs is installed

## run                installs what is missing, builds, and starts the server on ARGS or 127.0.0.1:8080
run: deps
	$(Q)$(SUBMAKE) build/gumbeld
	$(Q)exec build/gumbeld $(ARGS)

## test               installs what is missing, builds, and runs the unit, contract and integration tests
test: deps test-deps
	$(Q)$(SUBMAKE) check

# What the tests ask is written down for test-prism.
## check              the same without installing anything
check: $(BINARY) $(OUT)/tests/run $(OUT)/tests/run-stats
	$(Q)rm -rf $(OUT)/requests && mkdir $(OUT)/requests
	$(Q)$(OUT)/tests/run-stats --draws 10000000 --quiet
	$(Q)MALLOC_PERTURB_=165 TEST_RECORD=$(OUT)/requests tests/lib/run-parts $(OUT)/tests/run core core-float64 api server memory -- server-time && \
	    touch $(OUT)/requests/complete

## debug              build/debug/gumbeld, not optimised
debug: deps
	$(Q)$(SUBMAKE) VARIANT=debug build/debug/gumbeld

## install            the binary and its systemd unit, into DESTDIR and PREFIX (/usr/local)
install: build/gumbeld
	$(Q)install -D -m 755 build/gumbeld $(DESTDIR)$(PREFIX)/bin/gumbeld
	$(Q)install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	$(Q)sed 's,/usr/bin/,$(PREFIX)/bin/,' deploy/systemd/gumbeld.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/gumbeld.service

## clean              removes build/
clean:
	rm -rf build

## help               this list
help:
	$(Q)sed -n 's/^## /  make /p' Makefile $(wildcard tests/gates.mk)

# ---- Debian packages ---------------------------------------------------------------------------------------

DEPS      := gcc libc6-dev libmicrohttpd-dev libjansson-dev libuv1-dev zlib1g-dev perl libyaml-pp-perl
TEST_DEPS := check pkg-config
deps:      ; $(call install,$(DEPS))
test-deps: ; $(call install,$(TEST_DEPS))

# Installs what is missing of the packages, and says nothing if that is none. Waits for another installation.
define install
$(Q)missing=$$(for p in $(1); do \
    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
if [ -n "$$missing" ]; then \
    root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
    echo "installing" $$missing; \
    $$root apt-get update -qq -o DPkg::Lock::Timeout=600 && \
    $$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o DPkg::Lock::Timeout=600 --no-install-recommends $$missing >/dev/null; \
fi
endef

# The image is built from the product's folders only.
-include tests/gates.mk

-include $(shell find $(OUT) $(KERNEL_OUT) -name '*.d' 2>/dev/null)
