{{/* What the pods of all components have in common. */}}

{{/*
Image reference. Takes root, image, own (whether it is one of ours). A digest in the tag is there for
people to read what it is of; not every container runtime takes the two together.
*/}}
{{- define "scripta.image" -}}
{{- $repository := .image.repository -}}
{{- if and .own .root.Values.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .root.Values.imageRegistry) $repository -}}
{{- end -}}
{{- $digest := .image.digest | default (regexFind "@.*" .image.tag | trimPrefix "@") -}}
{{- if $digest -}}
{{- printf "%s@%s" $repository $digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/*
Labels of a pod. Takes root, component, values (the component's). Without the chart's version: a new
chart that changes nothing must not roll the pods, which closes connections.
*/}}
{{- define "scripta.podLabels" -}}
{{ include "scripta.selector" . }}
app.kubernetes.io/part-of: scripta
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Annotations of a pod that serves metrics; its own win. Takes root, values, port, scheme, container. */}}
{{- define "scripta.podAnnotations" -}}
{{- $annotations := dict "kubectl.kubernetes.io/default-container" .container -}}
{{- if and .root.Values.monitoring.scrapeAnnotations (not .root.Values.monitoring.podMonitor.enabled) -}}
{{- $_ := set $annotations "prometheus.io/scrape" "true" -}}
{{- $_ := set $annotations "prometheus.io/port" (include "scripta.text" .port) -}}
{{- $_ := set $annotations "prometheus.io/path" "/metrics" -}}
{{- if eq .scheme "https" -}}
{{- $_ := set $annotations "prometheus.io/scheme" "https" -}}
{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $annotations .values.podAnnotations) -}}
{{- end -}}

{{/* Who a pod runs as. Takes the user id. */}}
{{- define "scripta.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "scripta.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Where pods may run. Takes root, component, values. */}}
{{- define "scripta.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Keeps the pods of a component apart. Takes root, component, values. */}}
{{- define "scripta.spread" -}}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "scripta.selector" $ | nindent 8 }}
    # The pods of a rollout are spread among themselves, not against those that are going.
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}

{{/* A scalar as an environment variable's text; Helm reads large whole numbers as floats. */}}
{{- define "scripta.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* Settings that both services share, then those of one. Takes root, values. */}}
{{- define "scripta.settings" -}}
- name: LOG_LEVEL
  value: {{ .root.Values.logs.level | quote }}
- name: LOG_FORMAT
  value: {{ .root.Values.logs.format | quote }}
- name: LEASE_SECONDS
  value: {{ include "scripta.text" .root.Values.sessions.leaseSeconds | quote }}
- name: SESSION_TTL_SECONDS
  value: {{ include "scripta.text" .root.Values.sessions.ttlSeconds | quote }}
{{- with .root.Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .ratio | quote }}
{{- if .headersSecret.name }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .headersSecret.name }}
      key: {{ .headersSecret.key }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := .values.settings }}
- name: {{ snakecase $name | upper }}
  value: {{ include "scripta.text" $value | quote }}
{{- end }}
{{ include "scripta.broker.env" .root | trim }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Keeps node drains from taking more than a few pods at once. Takes root, component, pdb. */}}
{{- define "scripta.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "scripta.objectName" . }}
  labels:
    {{- include "scripta.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .pdb.maxUnavailable }}
  # A pod that is broken anyway must not hold up the drain of its node.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "scripta.selector" . | nindent 6 }}
{{- end -}}

{{/* An account that can do nothing. Takes root, component. */}}
{{- define "scripta.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "scripta.objectName" . }}
  labels:
    {{- include "scripta.labels" . | nindent 4 }}
  {{- with .root.Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
