{{/*
What an import may ask for: for each list of policy.allow the field that it bounds (told to the user) and, in CEL, what
OBJECT asks for there, as a list of strings. An import that leaves a field out asks for nothing. kept: which of that an
update leaves as it was, where that is not seen from the strings alone.
*/}}
{{- define "lindorm-import.policyRules" -}}
- list: images
  field: spec.job.image
  asked: "has(OBJECT.spec.job) && has(OBJECT.spec.job.image) ? [OBJECT.spec.job.image] : []"
- list: executionRoles
  field: spec.job.executionRoleArn
  asked: "has(OBJECT.spec.job) && has(OBJECT.spec.job.executionRoleArn) ? [OBJECT.spec.job.executionRoleArn] : []"
- list: flinkConfiguration
  field: spec.job.flinkConfiguration
  asked: >-
    has(OBJECT.spec.job) && has(OBJECT.spec.job.flinkConfiguration) ?
    OBJECT.spec.job.flinkConfiguration.map(k, k) : []
  kept: >-
    variables.flinkConfigurationAsked.filter(k, has(oldObject.spec.job) && has(oldObject.spec.job.flinkConfiguration) &&
    k in oldObject.spec.job.flinkConfiguration &&
    oldObject.spec.job.flinkConfiguration[k] == object.spec.job.flinkConfiguration[k])
- list: serviceAccounts
  field: spec.job.serviceAccount
  # Flink's own settings for the same (Flink: KubernetesConfigOptions), where policy.allow.flinkConfiguration lets them by.
  asked: >-
    (has(OBJECT.spec.job) && has(OBJECT.spec.job.serviceAccount) ? [OBJECT.spec.job.serviceAccount] : []) +
    (has(OBJECT.spec.job) && has(OBJECT.spec.job.flinkConfiguration) ?
    ["kubernetes.service-account", "kubernetes.jobmanager.service-account", "kubernetes.taskmanager.service-account"]
    .filter(k, k in OBJECT.spec.job.flinkConfiguration).map(k, OBJECT.spec.job.flinkConfiguration[k]) : [])
- list: virtualClusters
  field: spec.job.virtualClusterId
  asked: "has(OBJECT.spec.job) && has(OBJECT.spec.job.virtualClusterId) ? [OBJECT.spec.job.virtualClusterId] : []"
- list: logGroups
  field: spec.job.monitoring.logGroup
  asked: >-
    has(OBJECT.spec.job) && has(OBJECT.spec.job.monitoring) && has(OBJECT.spec.job.monitoring.logGroup) ?
    [OBJECT.spec.job.monitoring.logGroup] : []
- list: sourceHosts
  field: the host of spec.source.url
  # No dot at its end, and lower case: one name has one form.
  asked: >-
    [OBJECT.spec.source.url.split("://")[1].split("/")[0].split(":")[0].lowerAscii()]
    .map(h, h.endsWith(".") ? h.substring(0, h.size() - 1) : h)
  # Not any character: a driver takes `a,b` for two hosts.
  any: "[a-z0-9._-]*"
- list: secretNames
  field: spec.source.credentials.secretName
  asked: "[OBJECT.spec.source.credentials.secretName]"
- list: tables
  field: spec.target.table
  asked: "[OBJECT.spec.target.table]"
- list: regions
  field: spec.target.region
  asked: "[OBJECT.spec.target.region]"
- list: kmsKeys
  field: spec.target.kmsKeyArn
  asked: "has(OBJECT.spec.target.kmsKeyArn) ? [OBJECT.spec.target.kmsKeyArn] : []"
- list: buckets
  field: the bucket of spec.staging.bucket or spec.job.monitoring.s3LogURI
  asked: >-
    [OBJECT.spec.staging.bucket] +
    (has(OBJECT.spec.job) && has(OBJECT.spec.job.monitoring) && has(OBJECT.spec.job.monitoring.s3LogURI) ?
    [OBJECT.spec.job.monitoring.s3LogURI.split("/")[2]] : [])
{{- end }}

{{/*
In CEL, whether the string v is one of the patterns. Every literal is JSON, whose escapes are CEL's too, so no
value can end its string. Regular expressions only where they must be: they cost by the length of what they are held
against, and the API server bounds the cost.
*/}}
{{- define "lindorm-import.policyAllows" -}}
{{- $exact := list }}
{{- $begin := list }}
{{- $like := list }}
{{- $any := .any }}
{{- range .patterns }}
{{- if not (contains "*" .) }}
{{- $exact = append $exact . }}
{{- else if and (not $any) (eq . (printf "%s*" (. | replace "*" ""))) }}
{{- $begin = append $begin (trimSuffix "*" .) }}
{{- else }}
{{- $like = append $like (printf "^%s$" (regexQuoteMeta . | replace `\*` ($any | default ".*"))) }}
{{- end }}
{{- end }}
{{- $parts := list }}
{{- with $exact }}
{{- $parts = append $parts (printf "v in %s" (toRawJson .)) }}
{{- end }}
{{- with $begin }}
{{- $parts = append $parts (printf "%s.exists(p, v.startsWith(p))" (toRawJson .)) }}
{{- end }}
{{- with $like }}
{{- $parts = append $parts (printf "%s.exists(p, v.matches(p))" (toRawJson .)) }}
{{- end }}
{{- join " || " $parts | default "false" }}
{{- end }}

{{/* Where the policies hold: in the namespaces whose imports this release carries out. */}}
{{- define "lindorm-import.policyScope" -}}
{{- $namespaces := include "lindorm-import.namespaces" . | fromJsonArray }}
{{- if $namespaces }}
matchResources:
  namespaceSelector:
    matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: In, values: {{ toRawJson $namespaces }}}
{{- end }}
{{- end }}
