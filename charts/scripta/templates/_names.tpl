{{/* Names and labels. A component is `gateway`, `broker`, `transcriber` or `transcriber-POOL`. */}}

{{- define "scripta.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "scripta.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "scripta.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "scripta.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/*
The name of a component's objects. Takes root, component. What is too long for a Service keeps a
hash, so that pools whose names differ at the end do not become one.
*/}}
{{- define "scripta.objectName" -}}
{{- $name := printf "%s-%s" (include "scripta.fullname" .root) .component -}}
{{- if gt (len $name) 63 -}}
{{- $name = printf "%s-%s" (trunc 54 $name | trimSuffix "-") (sha256sum $name | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* What selects a component's pods; never changes for a release. Takes root, component. */}}
{{- define "scripta.selector" -}}
app.kubernetes.io/name: {{ include "scripta.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object. Takes root, component. */}}
{{- define "scripta.labels" -}}
{{ include "scripta.selector" . }}
app.kubernetes.io/part-of: scripta
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "scripta.component" -}}
{{- if eq . "default" }}transcriber{{ else }}transcriber-{{ . }}{{ end -}}
{{- end -}}

{{- define "scripta.serviceAccountName" -}}
{{- if .root.Values.serviceAccount.create -}}
{{- include "scripta.objectName" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}
