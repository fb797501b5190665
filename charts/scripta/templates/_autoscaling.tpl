{{/* Whether the number of pods is left to an autoscaler: true or nothing. Takes autoscaling. */}}
{{- define "scripta.autoscaled" -}}
{{- if ne .mode "none" }}true{{ end -}}
{{- end -}}

{{/* Whether that is an HPA of this chart's: true or nothing. Takes autoscaling. */}}
{{- define "scripta.hasHPA" -}}
{{- if has .mode (list "cpu" "metric") }}true{{ end -}}
{{- end -}}

{{/* An HPA without its metrics. Takes root, component, autoscaling. */}}
{{- define "scripta.hpa" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "scripta.objectName" . }}
  labels:
    {{- include "scripta.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "scripta.objectName" . }}
  minReplicas: {{ .autoscaling.minReplicas }}
  maxReplicas: {{ .autoscaling.maxReplicas }}
  behavior:
    {{- toYaml .autoscaling.behavior | nindent 4 }}
{{- end -}}

{{- define "scripta.hpa.cpu" -}}
- type: ContainerResource
  containerResource:
    name: cpu
    container: {{ .container }}
    target:
      type: Utilization
      averageUtilization: {{ .autoscaling.targetCPUUtilizationPercentage }}
{{- end -}}

{{/* A ScaledObject without its triggers. Takes root, component, autoscaling. */}}
{{- define "scripta.scaledObject" -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "scripta.objectName" . }}
  labels:
    {{- include "scripta.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    name: {{ include "scripta.objectName" . }}
  minReplicaCount: {{ .autoscaling.minReplicas }}
  maxReplicaCount: {{ .autoscaling.maxReplicas }}
  pollingInterval: {{ .root.Values.keda.pollingInterval }}
  cooldownPeriod: {{ .root.Values.keda.cooldownPeriod }}
  advanced:
    # Left as it is when the object goes: the sessions must not lose their pods.
    restoreToOriginalReplicaCount: false
    horizontalPodAutoscalerConfig:
      behavior:
        {{- toYaml .autoscaling.behavior | nindent 8 }}
{{- end -}}

{{/* Whether any pool is scaled by KEDA: true or nothing. */}}
{{- define "scripta.usesKeda" -}}
{{- range $name, $pool := include "scripta.pools" . | fromJson }}{{ if eq $pool.autoscaling.mode "keda" }}true{{ end }}{{ end -}}
{{- end -}}

{{/* Where KEDA, which runs in a namespace of its own, finds the broker. */}}
{{- define "scripta.keda.address" -}}
{{- if .Values.broker.embedded.enabled -}}
{{ include "scripta.objectName" (dict "root" . "component" "broker") }}.{{ .Release.Namespace }}.svc:6379
{{- else -}}
{{ .Values.keda.brokerAddress }}
{{- end -}}
{{- end -}}

{{/* Whether the chart makes KEDA's way to the password of the embedded broker: true or nothing. */}}
{{- define "scripta.keda.ownAuthentication" -}}
{{- $keda := .Values.keda -}}
{{- if and (include "scripta.usesKeda" .) .Values.broker.embedded.enabled (eq $keda.source "broker") (not $keda.authenticationRef) }}true{{ end -}}
{{- end -}}

{{/* The TriggerAuthentication of the pools' triggers; nothing if they need none. */}}
{{- define "scripta.keda.authentication" -}}
{{- if include "scripta.keda.ownAuthentication" . -}}
{{ include "scripta.objectName" (dict "root" . "component" "broker") }}
{{- else -}}
{{ .Values.keda.authenticationRef }}
{{- end -}}
{{- end -}}
