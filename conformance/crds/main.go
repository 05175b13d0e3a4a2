// Whether an API server would take objects: those of CustomResourceDefinitions by their schemas and rules, Kubernetes's
// own by their types. Reads the definitions from the files that it is given and the objects, as YAML, from standard
// input. Standard output is JSON, one line an object.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Verdict is what became of one object.
type Verdict struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Empty where an API server would take it.
	Faults []string `json:"faults"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(files []string, in io.Reader, out io.Writer) error {
	definitions := definitions{}
	for _, file := range files {
		if err := definitions.read(file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	input, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	documents, err := split(input)
	if err != nil {
		return err
	}
	write := json.NewEncoder(out)
	for _, document := range documents {
		if err := write.Encode(judge(document, definitions)); err != nil {
			return err
		}
	}
	return nil
}

func judge(document []byte, definitions definitions) Verdict {
	object, err := parse(document)
	if err != nil {
		return Verdict{Faults: []string{err.Error()}}
	}
	verdict := Verdict{
		APIVersion: object.GetAPIVersion(),
		Kind:       object.GetKind(),
		Namespace:  object.GetNamespace(),
		Name:       object.GetName(),
		Faults:     []string{},
	}
	kind := object.GroupVersionKind()
	switch definition, known := definitions[kind]; {
	case known:
		verdict.Faults = append(verdict.Faults, definition.faults(object)...)
	case isCore(kind):
		verdict.Faults = append(verdict.Faults, coreFaults(document)...)
	default:
		verdict.Faults = append(verdict.Faults, "nobody has defined "+kind.String())
	}
	return verdict
}
