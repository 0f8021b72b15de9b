// What bench-codec measures of simdjson: the logits of a body into a vector of floats. The parser and the vector
// are kept between calls, as a server would keep them.
#include <simdjson.h>

#include <vector>

using namespace simdjson;

static std::vector<float> values;

static size_t added_up(double *sum)
{
    if (sum != nullptr) {
        *sum = 0;
        for (float value : values)
            *sum += value;
    }
    return values.size();
}

extern "C" size_t bench_ondemand(const char *body, size_t length, double *sum)
{
    static ondemand::parser parser;
    values.clear();
    ondemand::document document = parser.iterate(body, length, length + SIMDJSON_PADDING);
    for (auto row : document["logits"].get_array())
        for (double value : row.get_array())
            values.push_back(static_cast<float>(value));
    return added_up(sum);
}

extern "C" size_t bench_dom(const char *body, size_t length, double *sum)
{
    static dom::parser parser;
    values.clear();
    dom::element document = parser.parse(body, length, false);
    for (dom::element row : document["logits"].get_array())
        for (double value : row.get_array())
            values.push_back(static_cast<float>(value));
    return added_up(sum);
}
