{{/*
The pools of transcribers as JSON: name to values, each the defaults of `transcriber` with what the
pool says put over them. Lists are replaced, maps merged.
*/}}
{{- define "scripta.pools" -}}
{{- if not (hasKey .Values.pools "default") -}}
{{- fail "There is no pool named default, to which sessions go that name no model: add pools.default (an empty map is enough)" -}}
{{- end -}}
{{- $pools := dict -}}
{{- range $name, $own := .Values.pools -}}
{{- $_ := set $pools $name (mergeOverwrite (deepCopy $.Values.transcriber) (default dict $own)) -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}

{{/* Sessions a pod should hold before another is asked for. Takes the pool's values. */}}
{{- define "scripta.targetSessions" -}}
{{- max 1 (mulf .slots .autoscaling.targetSlotUtilization | floor | int) -}}
{{- end -}}

{{/* The pool's stream of sessions that need a transcriber. */}}
{{- define "scripta.assignStream" -}}
scripta:v1:assign{{ if ne . "default" }}:{{ . }}{{ end }}
{{- end -}}
