{{/* Models by name: what follows from them, and how they come into the pods of a pool. */}}

{{/*
The models of a pool as a JSON list, each with name, engine, source, sha256 (a list), megabytes (0 if
nobody knows), english (whether it is known to speak that), known (whether the catalogue has it) and carried (whether the image has it, so that it is not
fetched). Takes root, values (the pool's).
*/}}
{{- define "scripta.models" -}}
{{- $catalogue := .root.Files.Get "files/models.json" | fromJson -}}
{{- $models := list -}}
{{- range .values.models -}}
{{- $entry := default dict (get $catalogue .name) -}}
{{- $sums := default (list) .sha256 -}}
{{- if kindIs "string" $sums }}{{ $sums = list $sums }}{{ end -}}
{{- $model := dict "name" .name "known" (hasKey $catalogue .name) "sha256" $sums -}}
{{- $_ := set $model "engine" (default (get $entry "engine" | default "unknown") .engine) -}}
{{- $_ := set $model "source" (default "" .source) -}}
{{- $_ := set $model "english" (get $entry "english" | default false) -}}
{{- $_ := set $model "megabytes" (get $entry "megabytes" | default 0 | int64) -}}
{{- $_ := set $model "carried" (and (not .source) (get $entry "carried" | default false)) -}}
{{- $models = append $models $model -}}
{{- end -}}
{{- dict "models" $models | toJson -}}
{{- end -}}

{{/* The models of a pool that are fetched, as JSON. Takes the pool's values, as `scripta.pools` has them. */}}
{{- define "scripta.models.fetched" -}}
{{- $fetched := list -}}
{{- range .named -}}
{{- if not .carried }}{{ $fetched = append $fetched . }}{{ end -}}
{{- end -}}
{{- dict "models" $fetched | toJson -}}
{{- end -}}

{{/* Name of the container that fetches a model, which is also in the events about it. Takes the name. */}}
{{- define "scripta.models.container" -}}
{{- printf "fetch-%s" (regexReplaceAll "[^a-z0-9]" . "-") | trunc 63 | trimAll "-" -}}
{{- end -}}

{{/* Megabytes of a pool's models that are fetched; nothing if nobody knows them. Takes the pool's values. */}}
{{- define "scripta.models.megabytes" -}}
{{- $sum := 0 -}}
{{- $unknown := false -}}
{{- range (include "scripta.models.fetched" . | fromJson).models -}}
{{- if not .megabytes }}{{ $unknown = true }}{{ end -}}
{{- $sum = add $sum (.megabytes | int64) -}}
{{- end -}}
{{- if not $unknown }}{{ $sum }}{{ end -}}
{{- end -}}

{{/* The size of a pod's own volume for models. Takes the pool's values. */}}
{{- define "scripta.models.sizeLimit" -}}
{{- if .modelVolume.sizeLimit -}}
{{ .modelVolume.sizeLimit }}
{{- else -}}
{{- with include "scripta.models.megabytes" . }}{{ add 64 (div (mul 11 (int64 .)) 10) }}Mi{{ else }}16Gi{{ end -}}
{{- end -}}
{{- end -}}

{{/* Whether each pod has a volume of its own for models: true or nothing. Takes the pool's values. */}}
{{- define "scripta.models.ownVolume" -}}
{{- $shared := or .modelImage .modelVolume.existingClaim .modelVolume.claim.size -}}
{{- if and (not $shared) (include "scripta.models.fetched" . | fromJson).models }}true{{ end -}}
{{- end -}}

{{/* Whether the chart mounts /models: true or nothing. Takes the pool's values. */}}
{{- define "scripta.models.mounted" -}}
{{- if or .modelImage .modelVolume.existingClaim .modelVolume.claim.size (include "scripta.models.ownVolume" .) }}true{{ end -}}
{{- end -}}

{{/* Name of the claim that the chart makes for a pool. Takes root, component. */}}
{{- define "scripta.models.claimName" -}}
{{- include "scripta.objectName" (dict "root" .root "component" (printf "%s-models" .component)) -}}
{{- end -}}

{{/* The volume with the models. Takes root, component, values. */}}
{{- define "scripta.models.volume" -}}
{{- $pool := .values -}}
- name: models
{{- if $pool.modelImage }}
  image:
    reference: {{ $pool.modelImage | quote }}
    pullPolicy: IfNotPresent
{{- else if include "scripta.models.ownVolume" $pool }}
  emptyDir:
    sizeLimit: {{ include "scripta.models.sizeLimit" $pool }}
{{- else }}
  persistentVolumeClaim:
    claimName: {{ $pool.modelVolume.existingClaim | default (include "scripta.models.claimName" .) }}
{{- end }}
{{- end -}}

{{/* The containers that fetch a pool's models, one after the other. Takes root, component, values. */}}
{{- define "scripta.models.containers" -}}
{{- $pool := .values -}}
{{- $part := . -}}
{{- range (include "scripta.models.fetched" $pool | fromJson).models }}
- name: {{ include "scripta.models.container" .name }}
  image: {{ include "scripta.image" (dict "root" $part.root "image" $pool.image "own" true) }}
  imagePullPolicy: {{ $pool.image.pullPolicy }}
  command:
    - scripta-models
    - fetch
    - {{ .name | quote }}
    - --to=/models
    {{- with .source }}
    - {{ printf "--source=%s" . | quote }}
    {{- end }}
    {{- range .sha256 }}
    - {{ printf "--sha256=%s" . | quote }}
    {{- end }}
    - {{ printf "--wait=%d" (int64 $pool.modelFetch.seconds) | quote }}
    # Why it failed, on one line, for `kubectl describe pod`.
    - --message-to=/dev/termination-log
  terminationMessagePath: /dev/termination-log
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- include "scripta.containerSecurity" . | nindent 4 }}
  {{- with include "scripta.models.env" $pool | trim }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $pool.modelFetch.secretName }}
  envFrom:
    - secretRef:
        name: {{ . }}
  {{- end }}
  resources:
    {{- include "scripta.models.resources" $pool | nindent 4 }}
  volumeMounts:
    - name: models
      mountPath: /models
    - name: tmp
      mountPath: /tmp
    {{- if $pool.modelFetch.caConfigMap.name }}
    - name: models-ca
      mountPath: /etc/scripta/models-ca
      readOnly: true
    {{- end }}
{{- end }}
{{- end -}}

{{/* Environment of a fetch: ways to the sources. Takes the pool's values. */}}
{{- define "scripta.models.env" -}}
{{- $fetch := .modelFetch -}}
{{- with $fetch.mirror }}
- name: SCRIPTA_MODELS_MIRROR
  value: {{ . | quote }}
{{- end }}
{{- if $fetch.proxy }}
{{- range list "HTTPS_PROXY" "HTTP_PROXY" }}
- name: {{ . }}
  value: {{ $fetch.proxy | quote }}
{{- end }}
{{- with $fetch.noProxy }}
- name: NO_PROXY
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if $fetch.caConfigMap.name }}
- name: SSL_CERT_FILE
  value: /etc/scripta/models-ca/ca.crt
{{- end }}
{{- end -}}

{{/* What a fetch may take; its disk, where each pod has a volume of its own. Takes the pool's values. */}}
{{- define "scripta.models.resources" -}}
{{- $resources := deepCopy .modelFetch.resources -}}
{{- $requests := default dict $resources.requests -}}
{{- if and (include "scripta.models.ownVolume" .) (not (hasKey $requests "ephemeral-storage")) -}}
{{- $_ := set $requests "ephemeral-storage" (include "scripta.models.sizeLimit" .) -}}
{{- $_ := set $resources "requests" $requests -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{/* The port that a URL leads to. */}}
{{- define "scripta.urlPort" -}}
{{- regexFind "^[a-z0-9]+://[^/]*:[0-9]+(/|$)" . | regexFind ":[0-9]+/?$" | trimAll ":/" | default (ternary 80 443 (hasPrefix "http:" .)) -}}
{{- end -}}

{{/*
Egress to where a pool's models are fetched from. A mirror, a proxy or a source of one's own may be
inside of the cluster, and DNS alone knows its address; the hub is on the internet. Takes the pool's values.
*/}}
{{- define "scripta.models.egress" -}}
{{- $ports := list -}}
{{- $public := false -}}
{{- $fetch := .modelFetch -}}
{{- range (include "scripta.models.fetched" . | fromJson).models -}}
{{- $direct := or (not $fetch.proxy) $fetch.noProxy -}}
{{- if $fetch.proxy }}{{ $ports = append $ports (include "scripta.urlPort" $fetch.proxy) }}{{ end -}}
{{- if and $direct $fetch.mirror -}}
{{- $ports = append $ports (include "scripta.urlPort" $fetch.mirror) -}}
{{- else if and $direct (hasPrefix "http" .source) -}}
{{- $ports = append $ports (include "scripta.urlPort" .source) -}}
{{- else if $direct -}}
{{- $public = true -}}
{{- end -}}
{{- end -}}
{{- with uniq $ports | sortAlpha }}
- ports:
    {{- range . }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- if $public }}
- to:
    {{- include "scripta.publicAddresses" . | nindent 4 }}
  ports:
    - {port: 443, protocol: TCP}
{{- end }}
{{- end -}}

{{/* What the release's test has to hear of a pool; empty where it is not English. Takes the pool's values. */}}
{{- define "scripta.test.expected" -}}
{{- $engine := splitList "," .engine | first -}}
{{- if eq $engine "mock" -}}
transcribed
{{- else if or (not .named) (first (.named | default (list dict))).english -}}
it was the best of times
{{- end -}}
{{- end -}}

{{/*
By which names clients may ask for the models of all pools, with commas between. Without those of pools
that may have no pod now, and of the mock engine, which speaks no language. Takes the root.
*/}}
{{- define "scripta.test.models" -}}
{{- $names := list -}}
{{- range $pool := include "scripta.pools" . | fromJson -}}
{{- $engines := splitList "," $pool.engine -}}
{{- /* An empty model for each engine that has none. */ -}}
{{- $models := splitList "," (printf "%s%s" $pool.model (repeat (len $engines) ",")) -}}
{{- $asleep := or (and (eq $pool.autoscaling.mode "keda") (eq (int $pool.autoscaling.minReplicas) 0)) (and (eq $pool.autoscaling.mode "none") (eq (int $pool.replicas) 0)) -}}
{{- range $place, $engine := $engines -}}
{{- if not (or $asleep (eq $engine "mock")) -}}
{{- $model := index $models $place | trim | splitList ":" | last | base -}}
{{- $names = append $names (ternary "moonshine-tiny-en" $model (eq $engine "moonshine")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- uniq $names | join "," -}}
{{- end -}}
