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
{{- $_ := set $pools $name (include "scripta.pool" (dict "root" $ "values" $pool) | fromJson) -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}

{{/*
A pool as JSON, with what it leaves open: its models in detail (`named`), its engine and model as the
transcriber reads them (`asked` has what the values say), its slots, the image that has its engine, the
memory that its models need, and on a GPU the limit and the toleration that bring its pods to one.
Takes root, values.
*/}}
{{- define "scripta.pool" -}}
{{- $pool := .values -}}
{{- $named := (include "scripta.models" . | fromJson).models -}}
{{- $_ := set $pool "named" $named -}}
{{- $_ := set $pool "asked" (dict "engine" $pool.engine "model" $pool.model) -}}
{{- $engines := splitList "," (nospace $pool.engine) -}}
{{- if $named -}}
{{- $engines = list -}}
{{- $folders := list -}}
{{- range $named -}}
{{- $engines = append $engines .engine -}}
{{- $folders = append $folders (ternary "" .name .carried) -}}
{{- end -}}
{{- $_ := set $pool "model" (ternary (join "," $folders) "" (ne "" (join "" $folders))) -}}
{{- else if not $pool.engine -}}
{{- $catalogue := .root.Files.Get "files/models.json" | fromJson -}}
{{- $engines = list -}}
{{- range splitList "," (nospace $pool.model) -}}
{{- $engines = append $engines (get (get $catalogue . | default dict) "engine" | default "moonshine") -}}
{{- end -}}
{{- $engines = ternary (list "moonshine") $engines (eq (uniq $engines | join ",") "moonshine") -}}
{{- end -}}
{{- $_ := set $pool "engine" (join "," $engines) -}}
{{- if not ($pool.slots | int64) -}}
{{- $_ := set $pool "slots" (mul (include "scripta.slotsPerThread" $engines | int64) $pool.threads) -}}
{{- end -}}
{{- $_ := set $pool.image "repository" (include "scripta.transcriberRepository" $pool) -}}
{{- $_ := set $pool "resources" (include "scripta.poolResources" . | fromJson) -}}
{{- if and (eq $pool.device "cuda") (not $pool.tolerations) -}}
{{- $_ := set $pool "tolerations" (list (dict "key" "nvidia.com/gpu" "operator" "Exists" "effect" "NoSchedule")) -}}
{{- end -}}
{{- toJson $pool -}}
{{- end -}}

{{/*
The resources of a pool as JSON: the memory that the chart comes with grows with the models that are
named, and on a GPU there is a limit that brings the pod to one. Takes root, values.
*/}}
{{- define "scripta.poolResources" -}}
{{- $resources := default dict .values.resources -}}
{{- $requests := default dict $resources.requests -}}
{{- $limits := default dict $resources.limits -}}
{{- $megabytes := 0 -}}
{{- range .values.named }}{{ if not .carried }}{{ $megabytes = add $megabytes (.megabytes | int64) }}{{ end }}{{ end -}}
{{- if and $megabytes (eq (default "" $requests.memory | toString) "448Mi") -}}
{{- $_ := set $requests "memory" (printf "%vMi" (add 448 (div (mul 3 $megabytes) 2))) -}}
{{- end -}}
{{- if and $megabytes (eq (default "" $limits.memory | toString) "1Gi") -}}
{{- $_ := set $limits "memory" (printf "%vMi" (add 1024 (mul 3 $megabytes))) -}}
{{- end -}}
{{- if and (eq .values.device "cuda") (not (regexMatch "nvidia[.]com/" (keys $limits | join " "))) -}}
{{- $_ := set $limits "nvidia.com/gpu" 1 -}}
{{- end -}}
{{- range $name, $amounts := dict "requests" $requests "limits" $limits -}}
{{- if $amounts }}{{ $_ := set $resources $name $amounts }}{{ end -}}
{{- end -}}
{{- toJson $resources -}}
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
