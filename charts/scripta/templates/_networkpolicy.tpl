{{/* Egress that gateway and transcribers need alike: names, the broker, and what is asked for. */}}
{{- define "scripta.egress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
    {{- /* Where DNS pods listen there, as OpenShift's do: policies see the pod's port. */}}
    - {port: 5353, protocol: UDP}
    - {port: 5353, protocol: TCP}
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

{{/* Egress to the identity provider, inside of the cluster or not, whose name only DNS knows. */}}
{{- define "scripta.providerEgress" -}}
{{- $jwt := .Values.gateway.access.jwt -}}
{{- $address := default $jwt.issuer $jwt.jwks -}}
{{- if and $jwt.issuer (regexMatch "^https?://" $address) -}}
{{- $port := regexFind "^https?://[^/]*:[0-9]+(/|$)" $address | regexFind ":[0-9]+/?$" | trimAll ":/" -}}
- ports:
    - {port: {{ default (ternary 443 80 (hasPrefix "https:" $address)) $port }}, protocol: TCP}
{{- end -}}
{{- end -}}

{{/* Peers: all addresses but those of private networks. */}}
{{- define "scripta.publicAddresses" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: [0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
- ipBlock:
    cidr: "::/0"
    except: ["::1/128", "64:ff9b::/96", "fc00::/7", "fe80::/10"]
{{- end -}}

{{/* Egress to the public internet, for hosts that clients name: on the ports that are listed. */}}
{{- define "scripta.outboundEgress" -}}
{{- $settings := .Values.gateway.settings -}}
{{- $hosts := printf "%s,%s" $settings.fetchHosts $settings.callbackHosts | trimAll "," -}}
{{- if $hosts -}}
{{- $ports := list 80 443 -}}
{{- range splitList "," $hosts -}}
{{- if regexMatch "^([^:]+|\\[.+\\]):[0-9]+$" . -}}
{{- $ports = append $ports (regexFind "[0-9]+$" . | int) -}}
{{- end -}}
{{- end -}}
- to:
    {{- include "scripta.publicAddresses" . | nindent 4 }}
  ports:
    {{- range uniq $ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end -}}
{{- end -}}
