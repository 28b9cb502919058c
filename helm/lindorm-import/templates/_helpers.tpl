{{- define "lindorm-import.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The first part of every name: the release's, with the chart's where it is not in it already. */}}
{{- define "lindorm-import.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "lindorm-import.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "lindorm-import.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* For what has no namespace: two releases of one name in two namespaces must not share it. */}}
{{- define "lindorm-import.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "lindorm-import.fullname" .) }}
{{- end }}

{{- define "lindorm-import.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lindorm-import.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "lindorm-import.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "lindorm-import.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The labels of everything, and those of one thing: (list ROOT LABELS). Of a key that is in both the latter's stays. */}}
{{- define "lindorm-import.labelsAnd" -}}
{{- toYaml (mergeOverwrite (include "lindorm-import.labels" (first .) | fromYaml) (last .)) }}
{{- end }}

{{- define "lindorm-import.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "lindorm-import.fullname" .) }}
{{- else }}
{{- required "serviceAccount.name: with serviceAccount.create false, name the one that is there" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "lindorm-import.image" -}}
{{- $repository := required "image.repository: say where your registry holds the controller's image (Dockerfile, target controller)" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* The namespaces whose imports are carried out, as a JSON list; empty: all. */}}
{{- define "lindorm-import.namespaces" -}}
{{- if .Values.watch.allNamespaces }}
{{- if .Values.watch.namespaces }}
{{- fail "watch.allNamespaces and watch.namespaces exclude each other: remove one" }}
{{- end }}
{{- list | toJson }}
{{- else }}
{{- .Values.watch.namespaces | default (list .Release.Namespace) | uniq | toJson }}
{{- end }}
{{- end }}

{{/* As restricted as Kubernetes' pod security standard `restricted`, and a root file system that nobody writes to. */}}
{{- define "lindorm-import.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "lindorm-import.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
