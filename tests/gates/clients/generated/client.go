// The client that openapi-generator makes for Go: each function is called as build/openapi.json shows it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"reflect"

	gumbel "gumbel_client"
)

type value = map[string]any

var checked int

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func member(object any, names ...string) value {
	for _, name := range names {
		object = object.(value)[name]
	}
	found, _ := object.(value)
	return found
}

// Numbers but for the last digits that YAML keeps, and the offset in a body as each client writes it.
func same(one, other any) bool {
	switch one := one.(type) {
	case float64:
		number, ok := other.(float64)
		return ok && math.Abs(one-number) <= 1e-14*math.Abs(one)
	case []any:
		list, ok := other.([]any)
		if !ok || len(one) != len(list) {
			return false
		}
		for i := range one {
			if !same(one[i], list[i]) {
				return false
			}
		}
		return true
	case value:
		object, ok := other.(value)
		if !ok || len(one) != len(object) {
			return false
		}
		for name := range one {
			if name != "offset" && !same(one[name], object[name]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(one, other)
}

func check(what string, given, expected any) {
	checked++
	if !same(given, expected) {
		fail("%s: %v in place of %v", what, given, expected)
	}
}

func read(text []byte, target any) {
	if err := json.Unmarshal(text, target); err != nil {
		fail("%s: %v", text, err)
	}
}

// Each example of a path, through the types of its request and its answer.
func examples[Request, Answer any](spec value, path string, send func(model string, body Request) (*Answer, *http.Response, error)) {
	post := member(spec, "paths", path, "post")
	answers := member(post, "responses", "200", "content", "application/json", "examples")
	for name, example := range member(post, "requestBody", "content", "application/json", "examples") {
		text, _ := json.Marshal(example.(value)["value"])
		var body Request
		read(text, &body)
		answer, _, err := send(name, body)
		if err != nil {
			fail("%s, %s: %v", path, name, err)
		}
		var given any
		text, _ = json.Marshal(answer)
		read(text, &given)
		check(path, given, member(answers, name)["value"])
	}
}

func main() {
	text, err := os.ReadFile("build/openapi.json")
	if err != nil {
		fail("%v", err)
	}
	var spec value
	read(text, &spec)

	configuration := gumbel.NewConfiguration()
	configuration.Servers = gumbel.ServerConfigurations{{URL: os.Getenv("SERVER_URL")}}
	client, ctx := gumbel.NewAPIClient(configuration), context.Background()
	functions, inference := client.FunctionsAPI, client.InferenceAPI

	examples(spec, "/v1/softmax", func(_ string, body gumbel.SoftmaxRequest) (*gumbel.SoftmaxResponse, *http.Response, error) {
		return functions.Softmax(ctx).SoftmaxRequest(body).Execute()
	})
	examples(spec, "/v1/log_softmax", func(_ string, body gumbel.LogSoftmaxRequest) (*gumbel.LogSoftmaxResponse, *http.Response, error) {
		return functions.LogSoftmax(ctx).LogSoftmaxRequest(body).Execute()
	})
	examples(spec, "/v1/gumbel_softmax", func(_ string, body gumbel.GumbelSoftmaxRequest) (*gumbel.GumbelSoftmaxResponse, *http.Response, error) {
		return functions.GumbelSoftmax(ctx).GumbelSoftmaxRequest(body).Execute()
	})
	examples(spec, "/v1/categorical", func(_ string, body gumbel.CategoricalRequest) (*gumbel.CategoricalResponse, *http.Response, error) {
		return functions.Categorical(ctx).CategoricalRequest(body).Execute()
	})
	examples(spec, "/v1/vjp", func(_ string, body gumbel.VjpRequest) (*gumbel.VjpResponse, *http.Response, error) {
		return functions.Vjp(ctx).VjpRequest(body).Execute()
	})
	examples(spec, "/v1/batch", func(_ string, body gumbel.BatchRequest) (*gumbel.BatchResponse, *http.Response, error) {
		return functions.Batch(ctx).BatchRequest(body).Execute()
	})
	examples(spec, "/v2/models/{model}/infer", func(model string, body gumbel.InferRequest) (*gumbel.InferResponse, *http.Response, error) {
		return inference.InferenceInfer(ctx, model).InferRequest(body).Execute()
	})

	// As one writes them, with all defaults that the constructors fill in.
	vjp := gumbel.NewVjpRequest([]any{1, 2, 3}, gumbel.FUNCTION_SOFTMAX, []any{1, 0, 0})
	gradient, _, err := functions.Vjp(ctx).VjpRequest(*vjp).Execute()
	if err != nil {
		fail("vjp: %v", err)
	}
	check("vjp", gradient.GradTemperature, 0.1418171)
	draws := gumbel.NewCategoricalRequest([]any{[]any{3, 2, "-Infinity"}})
	drawn, _, err := functions.Categorical(ctx).CategoricalRequest(*draws).Seed("9007199254740991").NumSamples(2).Execute()
	if err != nil {
		fail("categorical: %v", err)
	}
	check("seed", float64(*drawn.Seed.Int64), float64(9007199254740991))
	if checked < 20 {
		fail("only %d answers were looked at", checked)
	}
	fmt.Printf("test-generated: openapi-generator's Go: %d answers are as specified\n", checked)
}
