{{/* What contradicts itself in the values, or an API server would refuse, each as a sentence. values.schema.json has what can be
     said of one value by itself. */}}
{{- define "pact-dispatch.mistakes" -}}
{{- $found := list -}}
{{- $name := include "pact-dispatch.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- $found = append $found (printf "the objects would be called %q, and a Service can't be: it takes lower-case letters, digits and -, and begins with a letter. Give fullnameOverride" $name) -}}
{{- end -}}
{{- $found = concat $found (include "pact-dispatch.mistakesOfConfiguration" . | fromJsonArray) -}}
{{- range $component := list "web" "worker" -}}
{{- $scope := dict "root" $ "component" $component "values" (get $.Values $component) -}}
{{- $found = concat $found (include "pact-dispatch.mistakesOfPod" $scope | fromJsonArray) -}}
{{- end -}}
{{- $scope := dict "root" . "component" "migration" "values" .Values.migration -}}
{{- if .Values.migration.enabled -}}
{{- $found = concat $found (include "pact-dispatch.mistakesOfVariables" $scope | fromJsonArray) (include "pact-dispatch.mistakesOfResources" $scope | fromJsonArray) -}}
{{- end -}}
{{- $found = concat $found (include "pact-dispatch.mistakesOfStopping" . | fromJsonArray) (include "pact-dispatch.mistakesOfAccess" . | fromJsonArray) (include "pact-dispatch.mistakesOfMonitoring" . | fromJsonArray) -}}
{{- with .Values.secrets.providers -}}
{{- $found = concat $found (include "pact-dispatch.repeated" (dict "items" . "key" "file" "where" "secrets.providers") | fromJsonArray) -}}
{{- end -}}
{{- $found = concat $found (include "pact-dispatch.repeated" (dict "items" .Values.imagePullSecrets "key" "name" "where" "imagePullSecrets") | fromJsonArray) -}}
{{- with .Values.worker.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- $found = append $found (printf "worker.autoscaling.minReplicas (%d) is more than maxReplicas (%d)" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if and .enabled (eq .kind "keda") .keda.authModes (not .keda.authenticationRef) -}}
{{- $found = append $found (printf "worker.autoscaling.keda.authModes is %s, and authenticationRef is empty: name the TriggerAuthentication" .keda.authModes) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- define "pact-dispatch.mistakesOfConfiguration" -}}
{{- $found := list -}}
{{- with .Values.configuration -}}
{{- if and .main .existingConfigMap -}}
{{- $found = append $found "configuration.main and configuration.existingConfigMap are both given, and the pods read one of them: leave one out" -}}
{{- else if not (or .main .existingConfigMap) -}}
{{- $found = append $found "configuration.main is empty: --set-file configuration.main=pact-dispatch.toml, or name a ConfigMap that has it: configuration.existingConfigMap" -}}
{{- end -}}
{{- $sizes := dict "main" (add (len .main) (len "pact-dispatch.toml")) "providers" 0 -}}
{{- range $name, $text := .providers -}}
{{- $_ := set $sizes "providers" (add $sizes.providers (len $name) (len $text) 5) -}}
{{- end -}}
{{- range $part, $size := $sizes -}}
{{- if gt (int $size) 1048576 -}}
{{- $found = append $found (printf "configuration.%s has %d bytes, and a ConfigMap holds 1 MiB (1048576 bytes): put the rest into ConfigMaps of yours, and name them in configuration.providerConfigMaps" $part (int $size)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $count := include "pact-dispatch.counted" .providerConfigMaps | fromJson -}}
{{- if gt (int $count) 1 -}}
{{- $found = append $found (printf "configuration.providerConfigMaps has %s more than once" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Takes the root, the component and its values. */}}
{{- define "pact-dispatch.mistakesOfPod" -}}
{{- $component := .component -}}
{{- $found := concat
  (include "pact-dispatch.mistakesOfLabels" (dict "scope" . "labels" .values.podLabels "where" (printf "%s.podLabels" $component)) | fromJsonArray)
  (include "pact-dispatch.mistakesOfVariables" . | fromJsonArray)
  (include "pact-dispatch.mistakesOfResources" . | fromJsonArray)
-}}
{{- $volumes := list "configuration" "providers" "secrets" "data" "tmp" -}}
{{- $paths := list "/etc/pact-dispatch" "/etc/pact-dispatch/conf.d" "/run/secrets/pact-dispatch" "/data" "/tmp" -}}
{{- if eq $component "worker" -}}
{{- $volumes = concat $volumes (list "home" "provider-secrets") -}}
{{- $paths = concat $paths (list "/home/pact-dispatch" "/run/secrets/providers") -}}
{{- end -}}
{{- $found = concat $found
  (include "pact-dispatch.repeated" (dict "items" .values.extraContainers "key" "name" "own" (list $component) "where" (printf "%s.extraContainers" $component)) | fromJsonArray)
  (include "pact-dispatch.repeated" (dict "items" .values.extraVolumes "key" "name" "own" $volumes "where" (printf "%s.extraVolumes" $component)) | fromJsonArray)
  (include "pact-dispatch.repeated" (dict "items" .values.extraVolumeMounts "key" "mountPath" "own" $paths "where" (printf "%s.extraVolumeMounts" $component)) | fromJsonArray)
-}}
{{- range .values.extraVolumes -}}
{{- $volumes = append $volumes (toString .name) -}}
{{- end -}}
{{- range .values.extraVolumeMounts -}}
{{- if not (has (toString .name) $volumes) -}}
{{- $found = append $found (printf "%s.extraVolumeMounts names the volume %v, which isn't among extraVolumes" $component .name) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Takes the root, the component and its values. */}}
{{- define "pact-dispatch.mistakesOfVariables" -}}
{{- $own := list -}}
{{- range include "pact-dispatch.secrets" . | fromYamlArray -}}
{{- $own = append (append $own .variable) (printf "%s_FILE" .variable) -}}
{{- end -}}
{{- include "pact-dispatch.repeated" (dict "items" .values.extraEnv "key" "name" "own" $own "where" (printf "%s.extraEnv" .component)) -}}
{{- end -}}

{{/* Takes the component and its values. */}}
{{- define "pact-dispatch.mistakesOfResources" -}}
{{- $found := list -}}
{{- $component := .component -}}
{{- $limits := .values.resources.limits | default dict -}}
{{- range $resource, $request := .values.resources.requests -}}
{{- if and (hasKey $limits $resource) (not (kindIs "invalid" (get $limits $resource))) -}}
{{- $limit := get $limits $resource -}}
{{- if gt (include "pact-dispatch.quantity" $request | float64) (include "pact-dispatch.quantity" $limit | float64) -}}
{{- $found = append $found (printf "%s.resources.requests.%s (%v) is more than limits.%s (%v)" $component $resource $request $resource $limit) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* A quantity of Kubernetes as a number: 1.5Gi, 100m, 2. */}}
{{- define "pact-dispatch.quantity" -}}
{{- $factors := dict "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- $text := toString . -}}
{{- $unit := regexFind "[A-Za-z]+$" $text -}}
{{- if hasKey $factors $unit -}}
{{- mulf (trimSuffix $unit $text | float64) (get $factors $unit) -}}
{{- else -}}
{{- float64 $text -}}
{{- end -}}
{{- end -}}

{{- define "pact-dispatch.mistakesOfStopping" -}}
{{- $found := list -}}
{{- $drain := int .Values.web.drainSeconds -}}
{{- $grace := int .Values.web.terminationGracePeriodSeconds -}}
{{- if and $grace (lt $grace (add $drain 10 | int)) -}}
{{- $found = append $found (printf "web.terminationGracePeriodSeconds (%d) is less than web.drainSeconds (%d) and the 10 s after it in which requests end: pods would be killed while they answer. Leave it out, and it follows from drainSeconds" $grace $drain) -}}
{{- end -}}
{{- $grace = int .Values.worker.terminationGracePeriodSeconds -}}
{{- $stop := include "pact-dispatch.stopSeconds" . | int -}}
{{- if and $grace .Values.configuration.main (lt $grace $stop) -}}
{{- $found = append $found (printf "worker.terminationGracePeriodSeconds (%d) is less than worker.stop_seconds of the configuration (%d): runs would be killed. Leave it out, and it follows from stop_seconds" $grace $stop) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- define "pact-dispatch.mistakesOfAccess" -}}
{{- $found := list -}}
{{- if and .Values.ingress.enabled .Values.ingress.tlsSecretName (not .Values.ingress.host) -}}
{{- $found = append $found "ingress.host is needed for TLS" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- $found = append $found "gateway.parentRefs is empty: name the Gateway" -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- define "pact-dispatch.mistakesOfMonitoring" -}}
{{- $found := list -}}
{{- $scope := dict "root" . "component" "web" -}}
{{- with .Values.monitoring -}}
{{- if and .serviceMonitor (not .token.name) -}}
{{- $found = append $found "monitoring.serviceMonitor is on, and monitoring.token.name is empty: name the Secret with a token that may read /metrics" -}}
{{- end -}}
{{- $found = concat $found
  (include "pact-dispatch.mistakesOfLabels" (dict "scope" $scope "labels" .labels "where" "monitoring.labels") | fromJsonArray)
  (include "pact-dispatch.mistakesOfLabels" (dict "scope" $scope "labels" .dashboardLabels "where" "monitoring.dashboardLabels") | fromJsonArray)
-}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Takes the scope of the chart's own labels, further labels and where they are given. */}}
{{- define "pact-dispatch.mistakesOfLabels" -}}
{{- $found := list -}}
{{- $own := include "pact-dispatch.labels" .scope | fromYaml -}}
{{- $where := .where -}}
{{- range $label, $value := .labels -}}
{{- if hasKey $own $label -}}
{{- $found = append $found (printf "%s has %s, which the chart sets itself: leave it out" $where $label) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* How often each text is in a list. */}}
{{- define "pact-dispatch.counted" -}}
{{- $counts := dict -}}
{{- range . -}}
{{- $_ := set $counts . (add1 (get $counts . | default 0)) -}}
{{- end -}}
{{- toJson $counts -}}
{{- end -}}

{{/* Takes `items`, the `key` by which each is known, `where` they are given, and what the chart has of its `own`. */}}
{{- define "pact-dispatch.repeated" -}}
{{- $found := list -}}
{{- $texts := list -}}
{{- $key := .key -}}
{{- $where := .where -}}
{{- $own := .own | default list -}}
{{- range .items -}}
{{- if not (get . $key) -}}
{{- $found = append $found (printf "%s has an entry without %s" $where $key) -}}
{{- else -}}
{{- $texts = append $texts (get . $key | toString) -}}
{{- end -}}
{{- end -}}
{{- range $text, $count := include "pact-dispatch.counted" $texts | fromJson -}}
{{- if has $text $own -}}
{{- $found = append $found (printf "%s has the %s %s, which the chart gives itself: leave it out" $where $key $text) -}}
{{- else if gt (int $count) 1 -}}
{{- $found = append $found (printf "%s has the %s %s more than once" $where $key $text) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
