{{/*
What the controller may do where it carries out imports. A test holds it equal to controller/permissions.py, which is
held equal to what the controller really does.
*/}}
{{- define "lindorm-import.rules" -}}
- apiGroups: [lindorm.io]
  resources: [lindormimports]
  verbs: [get, list, patch, watch]
- apiGroups: [lindorm.io]
  resources: [lindormimports/status]
  verbs: [update]
- apiGroups: [flink.apache.org]
  resources: [flinkdeployments]
  verbs: [create, delete, get, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, delete, get]
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames: {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* What is no part of any namespace. */}}
{{- define "lindorm-import.discoveryRules" -}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
