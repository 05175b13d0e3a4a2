// What CustomResourceDefinitions say of their objects, asked in the order of an API server: fields that no schema knows,
// defaults, structure, lists that are sets or maps, and the rules in CEL.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	sigsyaml "sigs.k8s.io/yaml"
)

// definition is one version of one kind.
type definition struct {
	namespaced bool
	schema     *structuralschema.Structural
	structure  crdvalidation.SchemaValidator
	rules      *schemacel.Validator
}

type definitions map[schema.GroupVersionKind]definition

// read adds every definition in a file; whatever else is in it is left alone.
func (all definitions) read(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	documents, err := split(content)
	if err != nil {
		return err
	}
	for _, document := range documents {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := sigsyaml.Unmarshal(document, &crd); err != nil || crd.Kind != "CustomResourceDefinition" {
			continue
		}
		for _, version := range crd.Spec.Versions {
			if !version.Served {
				continue
			}
			one, err := compile(version, crd.Spec.Scope)
			if err != nil {
				return fmt.Errorf("%s %s: %w", crd.Name, version.Name, err)
			}
			kind := schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}
			all[kind] = one
		}
	}
	return nil
}

func compile(version apiextensionsv1.CustomResourceDefinitionVersion, scope apiextensionsv1.ResourceScope) (definition, error) {
	var props apiextensions.JSONSchemaProps
	err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &props, nil)
	if err != nil {
		return definition{}, err
	}
	structural, err := structuralschema.NewStructural(&props)
	if err != nil {
		return definition{}, err
	}
	structure, _, err := crdvalidation.NewSchemaValidator(&props)
	if err != nil {
		return definition{}, err
	}
	return definition{
		namespaced: scope == apiextensionsv1.NamespaceScoped,
		schema:     structural,
		structure:  structure,
		rules:      schemacel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

func (d definition) faults(object *unstructured.Unstructured) []string {
	content := object.UnstructuredContent()
	var faults []string
	unknown := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(content, d.schema, true, unknown) {
		faults = append(faults, fmt.Sprintf("unknown field %q", path))
	}
	defaulting.Default(content, d.schema)
	meta, _, unknownMeta, err := objectmeta.GetObjectMetaWithOptions(content, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return append(faults, err.Error())
	}
	for _, path := range unknownMeta {
		faults = append(faults, fmt.Sprintf("unknown field %q", path))
	}
	errs := metavalidation.ValidateObjectMeta(meta, d.namespaced, metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	errs = append(errs, crdvalidation.ValidateCustomResource(nil, content, d.structure)...)
	errs = append(errs, objectmeta.Validate(nil, content, d.schema, true)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, d.schema, content)...)
	// An API server does not ask rules about what is malformed either.
	if len(errs) == 0 {
		broken, _ := d.rules.Validate(context.Background(), nil, d.schema, content, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, broken...)
	}
	for _, one := range errs {
		faults = append(faults, one.Error())
	}
	return faults
}
