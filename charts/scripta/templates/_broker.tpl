{{/* The one place that knows where the broker is and how to log in. */}}

{{/* The Secret with the broker's password as JSON: name, and key; the name is empty if there is none. */}}
{{- define "scripta.broker.secret" -}}
{{- $broker := .Values.broker -}}
{{- if not $broker.embedded.enabled -}}
{{- toJson $broker.external.passwordSecret -}}
{{- else if $broker.embedded.existingSecret.name -}}
{{- toJson $broker.embedded.existingSecret -}}
{{- else -}}
{{- toJson (dict "name" (include "scripta.broker.generatedSecret" .) "key" "password") -}}
{{- end -}}
{{- end -}}

{{- define "scripta.broker.generatedSecret" -}}
{{- include "scripta.objectName" (dict "root" . "component" "broker-password") -}}
{{- end -}}

{{/* A variable with the broker's password. Takes root, variable. */}}
{{- define "scripta.broker.password" -}}
{{- $secret := include "scripta.broker.secret" .root | fromJson -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret.name }}
      key: {{ $secret.key }}
{{- end -}}

{{/* Environment that leads a service to the broker. */}}
{{- define "scripta.broker.env" -}}
{{- $broker := .Values.broker -}}
{{- if (include "scripta.broker.secret" . | fromJson).name }}
{{ include "scripta.broker.password" (dict "root" . "variable" "BROKER_PASSWORD") }}
{{- end }}
- name: REDIS_URL
{{- if $broker.embedded.enabled }}
  value: redis://:$(BROKER_PASSWORD)@{{ include "scripta.broker.address" . }}/0
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
