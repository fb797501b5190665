{{/* The Secret of the gateway's certificate; empty without TLS. */}}
{{- define "scripta.tlsSecret" -}}
{{- with .Values.gateway.tls -}}
{{- if .existingSecret -}}
{{- .existingSecret -}}
{{- else if .certManager.issuer -}}
{{- include "scripta.objectName" (dict "root" $ "component" "gateway-tls") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where the gateway finds its certificate; everything is empty without TLS. */}}
{{- define "scripta.tlsSettings" -}}
{{- $tls := include "scripta.tlsSecret" . -}}
{{- $client := .Values.gateway.tls.clientCA -}}
- name: TLS_CERT_FILE
  value: {{ ternary "/etc/scripta/tls/tls.crt" "" (ne $tls "") | quote }}
- name: TLS_KEY_FILE
  value: {{ ternary "/etc/scripta/tls/tls.key" "" (ne $tls "") | quote }}
- name: TLS_CLIENT_CA_FILE
  value: {{ ternary (printf "/etc/scripta/client-ca/%s" $client.key) "" (ne $client.secretName "") | quote }}
- name: TLS_CLIENT_AUTH
  value: {{ $client.auth }}
{{- end -}}

{{/* Folders, since a file that is mounted alone would never change. */}}
{{- define "scripta.tlsMounts" -}}
{{- if include "scripta.tlsSecret" . }}
- name: tls
  mountPath: /etc/scripta/tls
  readOnly: true
{{- end }}
{{- if .Values.gateway.tls.clientCA.secretName }}
- name: client-ca
  mountPath: /etc/scripta/client-ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "scripta.tlsVolumes" -}}
{{- with include "scripta.tlsSecret" . }}
- name: tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.gateway.tls.clientCA.secretName }}
- name: client-ca
  secret:
    secretName: {{ . }}
{{- end }}
{{- end -}}

{{/* How the main port is spoken to: http or https. */}}
{{- define "scripta.scheme" -}}
{{- ternary "https" "http" (ne (include "scripta.tlsSecret" .) "") -}}
{{- end -}}

{{/* How the port of metrics and probes is spoken to. */}}
{{- define "scripta.adminScheme" -}}
{{- ternary "http" (include "scripta.scheme" .) (ne (int64 .Values.gateway.settings.adminPort) 0) -}}
{{- end -}}
