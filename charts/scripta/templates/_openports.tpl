{{/* The gateway's port of metrics and probes as JSON: its name and number. */}}
{{- define "scripta.adminPort" -}}
{{- with int64 .Values.gateway.settings.adminPort -}}
{{- dict "name" "admin" "number" . | toJson -}}
{{- else -}}
{{- dict "name" "http" "number" 8000 | toJson -}}
{{- end -}}
{{- end -}}

{{/*
The open ports that are switched on as JSON: name to the number of the port. An open port has a
protocol without keys.
*/}}
{{- define "scripta.openPorts" -}}
{{- $ports := dict -}}
{{- range $name, $_ := .Values.gateway.openPorts -}}
{{- with int64 (get $.Values.gateway.settings (printf "%sPort" $name)) -}}
{{- $_ := set $ports $name . -}}
{{- end -}}
{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* What is the same in every Service that clients come in by. Takes the Service's values. */}}
{{- define "scripta.serviceType" -}}
type: {{ .type }}
{{- if ne .type "ClusterIP" }}
externalTrafficPolicy: {{ .externalTrafficPolicy }}
{{- end }}
{{- if eq .type "LoadBalancer" }}
{{- with .loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- with .loadBalancerSourceRanges }}
loadBalancerSourceRanges:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
