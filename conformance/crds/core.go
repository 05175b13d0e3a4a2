// Kubernetes's own kinds, with the types, defaults and checks of its API server.
package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/apis/apps"
	appsinstall "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	coreinstall "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	networkinginstall "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	policyinstall "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
)

var kubernetes = func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	coreinstall.Install(scheme)
	appsinstall.Install(scheme)
	networkinginstall.Install(scheme)
	policyinstall.Install(scheme)
	return scheme
}()

var strict = serializer.NewCodecFactory(kubernetes, serializer.EnableStrict).UniversalDeserializer()

func isCore(kind schema.GroupVersionKind) bool {
	return kubernetes.Recognizes(kind)
}

func coreFaults(document []byte) []string {
	object, _, err := strict.Decode(document, nil, nil)
	if err != nil {
		return []string{err.Error()}
	}
	kubernetes.Default(object)
	internal, err := kubernetes.UnsafeConvertToVersion(object, runtime.InternalGroupVersioner)
	if err != nil {
		return []string{err.Error()}
	}
	errs, known := check(internal)
	if !known {
		return []string{fmt.Sprintf("no check for %T: add it", internal)}
	}
	var faults []string
	for _, one := range errs {
		faults = append(faults, one.Error())
	}
	return faults
}

func check(object runtime.Object) (errs field.ErrorList, known bool) {
	switch one := object.(type) {
	case *core.Namespace:
		return corevalidation.ValidateNamespace(one), true
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(one), true
	case *core.Secret:
		return corevalidation.ValidateSecret(one), true
	case *core.Service:
		return corevalidation.ValidateServiceCreate(one), true
	case *core.ServiceAccount:
		return corevalidation.ValidateServiceAccount(one), true
	case *apps.Deployment:
		return appsvalidation.ValidateDeployment(one, corevalidation.PodValidationOptions{}), true
	case *networking.NetworkPolicy:
		return networkingvalidation.ValidateNetworkPolicy(one, networkingvalidation.NetworkPolicyValidationOptions{}), true
	case *policy.PodDisruptionBudget:
		return policyvalidation.ValidatePodDisruptionBudget(one, policyvalidation.PodDisruptionBudgetValidationOptions{}), true
	default:
		return nil, false
	}
}
