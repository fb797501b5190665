{{/*
The pools of transcribers as JSON: name to values, each the defaults of `transcriber` with what the
pool says put over them, and with what follows from its engines. Lists are replaced, maps merged.
*/}}
{{- define "scripta.pools" -}}
{{- if not (hasKey .Values.pools "default") -}}
{{- fail "There is no pool named default, to which sessions go that name no model: add pools.default (an empty map is enough)" -}}
{{- end -}}
{{- $pools := dict -}}
{{- range $name, $own := .Values.pools -}}
{{- $pool := mergeOverwrite (deepCopy $.Values.transcriber) (default dict $own) -}}
{{- $_ := set $pools $name (include "scripta.pool" $pool | fromJson) -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}

{{/*
A pool as JSON, with what it leaves open: its engine, its slots, the image that has its engine, and on
a GPU the limit and the toleration that bring its pods to one. Takes the pool's values.
*/}}
{{- define "scripta.pool" -}}
{{- $engines := splitList "," (nospace .engine | default "moonshine") -}}
{{- $slots := .slots | int64 -}}
{{- if not $slots -}}
{{- $slots = mul (include "scripta.slotsPerThread" $engines | int64) .threads -}}
{{- end -}}
{{- $_ := set . "engine" (join "," $engines) -}}
{{- $_ := set . "slots" $slots -}}
{{- $_ := set .image "repository" (include "scripta.transcriberRepository" .) -}}
{{- if eq .device "cuda" -}}
{{- $resources := default dict .resources -}}
{{- $limits := default dict $resources.limits -}}
{{- if not (regexMatch "nvidia[.]com/" (keys $limits | join " ")) -}}
{{- $_ := set . "resources" (set $resources "limits" (set $limits "nvidia.com/gpu" 1)) -}}
{{- end -}}
{{- if not .tolerations -}}
{{- $_ := set . "tolerations" (list (dict "key" "nvidia.com/gpu" "operator" "Exists" "effect" "NoSchedule")) -}}
{{- end -}}
{{- end -}}
{{- toJson . -}}
{{- end -}}

{{/* Sessions that a thread serves well: those of the slowest engine. Takes the engines. */}}
{{- define "scripta.slotsPerThread" -}}
{{- $each := dict "moonshine" 12 "whisper" 2 "sherpa" 8 "mock" 1000 -}}
{{- $least := 1000 -}}
{{- range . }}{{ $least = min $least (get $each .) }}{{ end -}}
{{- $least -}}
{{- end -}}

{{/*
Repository of a pool's image. The name that the chart comes with stands for the variant that has the
pool's engines. Takes the pool's values.
*/}}
{{- define "scripta.transcriberRepository" -}}
{{- $engines := splitList "," .engine -}}
{{- .image.repository -}}
{{- if eq .image.repository "scripta-transcriber" -}}
{{- if has "whisper" $engines -}}
-whisper{{ if eq .device "cuda" }}-cuda{{ end }}
{{- else if has "sherpa" $engines -}}
-sherpa
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Sessions a pod should hold before another is asked for. Takes the pool's values. */}}
{{- define "scripta.targetSessions" -}}
{{- max 1 (mulf .slots .autoscaling.targetSlotUtilization | floor | int) -}}
{{- end -}}

{{/* The pool's stream of sessions that need a transcriber. */}}
{{- define "scripta.assignStream" -}}
scripta:v1:assign{{ if ne . "default" }}:{{ . }}{{ end }}
{{- end -}}
