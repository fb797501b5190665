{{/* The one place that knows where the broker is and how to log in. */}}

{{/* Environment that leads a service to the broker. */}}
{{- define "scripta.broker.env" -}}
{{- $broker := .Values.broker -}}
{{- $secret := ternary $broker.embedded.existingSecret $broker.external.passwordSecret $broker.embedded.enabled -}}
{{- if $secret.name }}
- name: BROKER_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $secret.name }}
      key: {{ $secret.key }}
{{- end }}
- name: REDIS_URL
{{- if $broker.embedded.enabled }}
  value: redis://{{ if $secret.name }}:$(BROKER_PASSWORD)@{{ end }}{{ include "scripta.broker.address" . }}/0
{{- else if $broker.external.existingSecret.name }}
  valueFrom:
    secretKeyRef:
      name: {{ $broker.external.existingSecret.name }}
      key: {{ $broker.external.existingSecret.key }}
{{- else }}
  value: {{ $broker.external.url | quote }}
{{- end }}
{{- end -}}

{{/* Host and port of the embedded broker. */}}
{{- define "scripta.broker.address" -}}
{{ include "scripta.objectName" (dict "root" . "component" "broker") }}:6379
{{- end -}}

{{/* Whether a service mounts the CA of an external broker: true or nothing. */}}
{{- define "scripta.broker.hasCA" -}}
{{- if and (not .Values.broker.embedded.enabled) .Values.broker.external.caSecret.name }}true{{ end -}}
{{- end -}}

{{- define "scripta.broker.caVolume" -}}
- name: broker-ca
  secret:
    secretName: {{ .Values.broker.external.caSecret.name }}
    items:
      - key: {{ .Values.broker.external.caSecret.key }}
        path: ca.crt
{{- end -}}

{{- define "scripta.broker.caMount" -}}
- name: broker-ca
  mountPath: /etc/scripta/broker-ca
  readOnly: true
{{- end -}}
