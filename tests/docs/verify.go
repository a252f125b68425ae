// Runs documented code against requests: verify CASES. Prints one JSON list of what it said.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

type request struct {
	Dialect string
	Headers map[string]string
	Body    string
	Secrets []string
	URL     string
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	must(err)
	var requests []request
	must(json.Unmarshal(text, &requests))
	said := []bool{}
	for _, one := range requests {
		body, err := base64.StdEncoding.DecodeString(one.Body)
		must(err)
		headers := http.Header{}
		for name, value := range one.Headers {
			headers.Set(name, value)
		}
		said = append(said, functions[one.Dialect](headers, body, one.Secrets, one.URL))
	}
	text, err = json.Marshal(said)
	must(err)
	fmt.Println(string(text))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
