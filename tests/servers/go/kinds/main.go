// kinds reads YAML documents from standard input and decodes each into the Go type that its operator
// decodes it into; a field that the type does not have is an error.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"gopkg.in/yaml.v3"
	strict "sigs.k8s.io/yaml"
)

var types = map[string]func() any{
	"monitoring.coreos.com/v1/PrometheusRule": func() any { return new(monitoring.PrometheusRule) },
	"monitoring.coreos.com/v1/ServiceMonitor": func() any { return new(monitoring.ServiceMonitor) },
}

func run(input io.Reader) error {
	documents := yaml.NewDecoder(input)
	for {
		var document yaml.Node
		if err := documents.Decode(&document); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var head struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
		}
		if err := document.Decode(&head); err != nil {
			return err
		}
		name := head.APIVersion + "/" + head.Kind
		made, known := types[name]
		if !known {
			return fmt.Errorf("no type for %s", name)
		}
		var text bytes.Buffer
		if err := yaml.NewEncoder(&text).Encode(&document); err != nil {
			return err
		}
		if err := strict.UnmarshalStrict(text.Bytes(), made()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println(name)
	}
}

func main() {
	if err := run(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
