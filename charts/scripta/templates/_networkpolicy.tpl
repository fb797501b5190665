{{/* Egress that gateway and transcribers need alike: names, the broker, and what is asked for. */}}
{{- define "scripta.egress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- if .Values.broker.embedded.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "scripta.selector" (dict "root" . "component" "broker") | nindent 10 }}
  ports:
    - {port: 6379, protocol: TCP}
{{- else }}
- ports:
    {{- range .Values.broker.external.ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
