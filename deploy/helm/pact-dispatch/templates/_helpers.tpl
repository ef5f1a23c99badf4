{{/* The name of all objects; 45, so that the labels by which Kubernetes knows a StatefulSet's pods and KEDA its objects have room. */}}
{{- define "pact-dispatch.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimAll "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimAll "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component; it never changes. Takes the root and the component. */}}
{{- define "pact-dispatch.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The labels of an object. Takes the root and the component. */}}
{{- define "pact-dispatch.labels" -}}
{{ include "pact-dispatch.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "pact-dispatch.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The secrets of a component, as files by their variable. Takes the root and the component. */}}
{{- define "pact-dispatch.secrets" -}}
{{- $of := dict
  "web" (dict
    "databaseUrl" "DATABASE_URL"
    "dispatchTokens" "PACT_DISPATCH_TOKENS"
    "apiTokens" "PACT_DISPATCH_API_TOKENS"
    "webhookSecret" "PACT_DISPATCH_WEBHOOK_SECRET")
  "worker" (dict
    "databaseUrl" "DATABASE_URL"
    "brokerToken" "PACT_BROKER_TOKEN"
    "brokerUsername" "PACT_BROKER_USERNAME"
    "brokerPassword" "PACT_BROKER_PASSWORD"
    "brokerKeyPassword" "PACT_BROKER_CLIENT_KEY_PASSWORD"
    "githubToken" "PACT_DISPATCH_GITHUB_TOKEN"
    "githubPrivateKey" "PACT_DISPATCH_GITHUB_PRIVATE_KEY")
  "migration" (dict
    (ternary "migrationDatabaseUrl" "databaseUrl" (ne .root.Values.secrets.migrationDatabaseUrl.name "")) "DATABASE_URL")
-}}
{{- $found := list -}}
{{- range $key, $variable := get $of .component -}}
{{- $secret := index $.root.Values.secrets $key -}}
{{- if $secret.name -}}
{{- $found = append $found (dict "variable" $variable "file" (kebabcase $key) "name" $secret.name "key" $secret.key) -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The variables that name these files. */}}
{{- define "pact-dispatch.env" -}}
{{- $variables := list -}}
{{- range include "pact-dispatch.secrets" . | fromYamlArray -}}
{{- $file := printf "/run/secrets/pact-dispatch/%s" .file -}}
{{- $variables = append $variables (dict "name" (printf "%s_FILE" .variable) "value" $file) -}}
{{- end -}}
{{- toYaml $variables -}}
{{- end -}}

{{/* The volume of these files. */}}
{{- define "pact-dispatch.secretVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range include "pact-dispatch.secrets" . | fromYamlArray }}
      - secret:
          name: {{ .name | quote }}
          items:
            - key: {{ .key | quote }}
              path: {{ .file }}
      {{- end }}
{{- end -}}

{{/* The volumes of the configuration, of web and workers. */}}
{{- define "pact-dispatch.configurationVolumes" -}}
{{- $name := include "pact-dispatch.fullname" . -}}
- name: configuration
  configMap:
    name: {{ .Values.configuration.existingConfigMap | default $name | quote }}
- name: providers
  projected:
    sources:
      - configMap:
          name: {{ $name }}-providers
          optional: true
      {{- range .Values.configuration.providerConfigMaps }}
      - configMap:
          name: {{ . | quote }}
      {{- end }}
{{- end -}}

{{- define "pact-dispatch.configurationMounts" -}}
- name: configuration
  mountPath: /etc/pact-dispatch
  readOnly: true
- name: providers
  mountPath: /etc/pact-dispatch/conf.d
  readOnly: true
- name: secrets
  mountPath: /run/secrets/pact-dispatch
  readOnly: true
- name: data
  mountPath: /data
- name: tmp
  mountPath: /tmp
{{- end -}}

{{/* How long a web pod may take to stop: while it still gets requests, then while they end, and a margin. */}}
{{- define "pact-dispatch.webGrace" -}}
{{- .Values.web.terminationGracePeriodSeconds | default (add .Values.web.drainSeconds 25) -}}
{{- end -}}

{{/* What runs of a worker may take when it stops: worker.stop_seconds of the configuration. */}}
{{- define "pact-dispatch.stopSeconds" -}}
{{- $given := regexFind "(?m)^[^#\n]*\\bstop_seconds\\s*=\\s*[0-9_]+" .Values.configuration.main -}}
{{- $given | default "20" | regexFind "[0-9_]+$" | replace "_" "" | int -}}
{{- end -}}

{{/* How long a worker may take to stop: what its runs may take, then what its end takes, and a margin. */}}
{{- define "pact-dispatch.workerGrace" -}}
{{- .Values.worker.terminationGracePeriodSeconds | default (add (include "pact-dispatch.stopSeconds" .) 20) -}}
{{- end -}}

{{/* A pod's annotations. Takes the root and the values of the component. */}}
{{- define "pact-dispatch.podAnnotations" -}}
{{- $annotations := deepCopy .values.podAnnotations -}}
{{- if .root.Values.configuration.restartOnChange -}}
{{- $content := list .root.Values.configuration.main .root.Values.configuration.providers -}}
{{- $_ := set $annotations "pact-dispatch/configuration" ($content | toJson | sha256sum) -}}
{{- end -}}
{{- toYaml $annotations -}}
{{- end -}}

{{/* What pods of web and workers have besides their containers and volumes. Takes the root, the component and its values. */}}
{{- define "pact-dispatch.pod" -}}
serviceAccountName: {{ include "pact-dispatch.fullname" .root | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- mustMergeOverwrite (deepCopy .root.Values.podSecurityContext) .values.podSecurityContext | toYaml | nindent 2 }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "pact-dispatch.selector" . | nindent 8 }}
  {{- end }}
{{- end -}}

{{- define "pact-dispatch.containerSecurityContext" -}}
{{- mustMergeOverwrite (deepCopy .root.Values.containerSecurityContext) .values.containerSecurityContext | toYaml -}}
{{- end -}}
