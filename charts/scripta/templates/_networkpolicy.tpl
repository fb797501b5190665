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

{{/* Lets in those who scrape metrics. Takes root, port (its name). */}}
{{- define "scripta.metricsIngress" -}}
from:
  {{- toYaml (default (list (dict "namespaceSelector" dict)) .root.Values.networkPolicy.metricsFrom) | nindent 2 }}
ports:
  - {port: {{ .port }}, protocol: TCP}
{{- end -}}
