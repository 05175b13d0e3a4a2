// A stream of YAML as objects.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// split leaves out documents that hold nothing.
func split(stream []byte) ([][]byte, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	var documents [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := sigsyaml.YAMLToJSON(document)
		if err == nil && string(bytes.TrimSpace(content)) == "null" {
			continue
		}
		documents = append(documents, document)
	}
}

// parse refuses a key that is there twice, as `kubectl apply` does.
func parse(document []byte) (*unstructured.Unstructured, error) {
	content, err := sigsyaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(content); err != nil {
		return nil, fmt.Errorf("no object: %w", err)
	}
	return object, nil
}
