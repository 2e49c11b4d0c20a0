{{- define "rembg-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "rembg-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "rembg-gateway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "rembg-gateway.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "rembg-gateway.selector" -}}
app.kubernetes.io/name: {{ include "rembg-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rembg-gateway.labels" -}}
{{ include "rembg-gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "rembg-gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "rembg-gateway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What cannot work is refused before anything is installed. */}}
{{- define "rembg-gateway.judge" -}}
{{- if eq .Values.store.kind "sqlite" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail "store.kind is sqlite, which one gateway can use: set replicas to 1, or use store.kind redis" -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- fail "store.kind is sqlite, which one gateway can use: switch autoscaling off, or use store.kind redis" -}}
{{- end -}}
{{- else -}}
{{- if not .Values.store.urlSecret.name -}}
{{- fail "store.kind is redis: name the Secret that holds its address in store.urlSecret.name" -}}
{{- end -}}
{{- if not (hasKey .Values.secretEnv "REMBG_GATEWAY__AUTH__API_KEY__PEPPER") -}}
{{- fail "store.kind is redis: every gateway needs the same pepper, so name its Secret in secretEnv.REMBG_GATEWAY__AUTH__API_KEY__PEPPER" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is greater than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled .Values.serviceMonitor.enabled (not .Values.networkPolicy.metricsFrom) -}}
{{- fail "networkPolicy.enabled keeps Prometheus from the metrics: name it in networkPolicy.metricsFrom" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.enabled needs ingress.host" -}}
{{- end -}}
{{- end -}}

{{/* The drain delay, the longest request (30 s more than its two timeouts), and 20 s to settle what it leaves. */}}
{{- define "rembg-gateway.grace" -}}
{{- add .Values.times.drainDelay .Values.times.uploadTimeout .Values.times.backendTimeout 30 20 -}}
{{- end -}}
