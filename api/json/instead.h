/* What to write instead of words that other languages have and JSON has not. */
#ifndef API_JSON_INSTEAD_H
#define API_JSON_INSTEAD_H

/* The advice where such a word is at `at`, before `end`; NULL where there is none. */
const char *json_instead(const char *at, const char *end);

#endif
