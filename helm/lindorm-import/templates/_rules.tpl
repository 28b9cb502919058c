{{/*
What the controller may do where it carries out imports. files/rules.yaml is made from controller/lindorm_import/permissions, which
is held equal to what the controller really does.
*/}}
{{- define "lindorm-import.rules" -}}
{{- $rules := list }}
{{- range (.Files.Get "files/rules.yaml" | fromYaml).namespaced }}
{{- if and $.Values.rbac.secretNames (has "secrets" .resources) }}
{{- $_ := set . "resourceNames" $.Values.rbac.secretNames }}
{{- end }}
{{- $rules = append $rules . }}
{{- end }}
{{- toYaml $rules }}
{{- end }}

{{/* What is no part of any namespace. */}}
{{- define "lindorm-import.discoveryRules" -}}
{{- toYaml (.Files.Get "files/rules.yaml" | fromYaml).cluster }}
{{- end }}
