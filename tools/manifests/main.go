// Command manifests reads YAML documents and checks each against the Go type that its own controller decodes it into:
// a field that the type does not have, or a value of another type, is an error. It knows the kinds of the Prometheus
// operator and of Flux, whose CustomResourceDefinitions the embedded API server does not have.
//
//	manifests FILE...     "-" is standard input
//
// It prints a line for each document that it has checked, and one for each problem; exit code 1 where there is one.
// Documents of other kinds are passed over.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	source "github.com/fluxcd/source-controller/api/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var types = map[string]func() any{
	"monitoring.coreos.com/v1 PodMonitor":          func() any { return &monitoring.PodMonitor{} },
	"monitoring.coreos.com/v1 ServiceMonitor":      func() any { return &monitoring.ServiceMonitor{} },
	"monitoring.coreos.com/v1 PrometheusRule":      func() any { return &monitoring.PrometheusRule{} },
	"helm.toolkit.fluxcd.io/v2 HelmRelease":        func() any { return &helm.HelmRelease{} },
	"kustomize.toolkit.fluxcd.io/v1 Kustomization": func() any { return &kustomize.Kustomization{} },
	"source.toolkit.fluxcd.io/v1 GitRepository":    func() any { return &source.GitRepository{} },
	"source.toolkit.fluxcd.io/v1 OCIRepository":    func() any { return &source.OCIRepository{} },
	"source.toolkit.fluxcd.io/v1 HelmRepository":   func() any { return &source.HelmRepository{} },
}

// check reads every document of a stream; it returns the names of those it has checked, and what is wrong.
func check(name string, stream io.Reader) (checked []string, problems []error) {
	content, err := io.ReadAll(stream)
	if err != nil {
		return nil, []error{fmt.Errorf("%s: %w", name, err)}
	}
	for _, document := range bytes.Split(content, []byte("\n---")) {
		var header struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
		}
		if err := yaml.Unmarshal(document, &header); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		kind := header.APIVersion + " " + header.Kind
		make, known := types[kind]
		if !known {
			continue
		}
		if err := yaml.UnmarshalStrict(document, make()); err != nil {
			problems = append(problems, fmt.Errorf("%s: %s %s: %w", name, kind, header.Name, err))
		}
		checked = append(checked, kind+" "+header.Name)
	}
	return checked, problems
}

func main() {
	failed := false
	for _, name := range os.Args[1:] {
		var stream io.Reader = os.Stdin
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				fmt.Fprintln(os.Stderr, errors.Unwrap(err), name)
				os.Exit(2)
			}
			defer file.Close()
			stream = file
		}
		checked, problems := check(name, stream)
		for _, document := range checked {
			fmt.Println(document)
		}
		for _, problem := range problems {
			fmt.Fprintln(os.Stderr, problem)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
