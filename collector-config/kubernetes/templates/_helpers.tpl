{{- define "qudag.labels" -}}
app.kubernetes.io/name: qudag-otel
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* At most 52 characters, as pods' names need; the tier's stay, or objects would have one name. */}}
{{- define "qudag.name" -}}
{{- printf "%s-%s" (.root.Release.Name | trunc (sub 51 (len .tier) | int) | trimSuffix "-") .tier }}
{{- end }}

{{- define "qudag.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end }}
{{- end }}

{{/* The names of what is sent: in every process of the chart, and what applications copy. */}}
{{- define "qudag.identity" -}}
deployment.environment.name={{ .Values.environment }}{{ with .Values.cluster }},k8s.cluster.name={{ . }}{{ end }}
{{- end }}

{{/* Where applications send to. */}}
{{- define "qudag.endpoint" -}}
http://{{ include "qudag.name" (dict "root" . "tier" "agent") }}.{{ .Release.Namespace }}.svc:4318
{{- end }}

{{/* The pod of either tier; takes root, values, configs, env. */}}
{{- define "qudag.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
terminationGracePeriodSeconds: 60
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: collector
    image: {{ include "qudag.image" .root }}
    args:
      {{- range .configs }}
      - --config=/etc/otelcol/{{ . }}
      {{- end }}
    env:
      - name: GOMEMLIMIT
        value: "{{ mulf .values.memoryMiB 1.15 | floor }}MiB"
      - {name: OTELCOL_MEMORY_MIB, value: {{ .values.memoryMiB | quote }}}
      - {name: OTELCOL_OTLP_GRPC, value: "0.0.0.0:4317"}
      - {name: OTELCOL_OTLP_HTTP, value: "0.0.0.0:4318"}
      - {name: OTELCOL_HEALTH, value: "0.0.0.0:13133"}
      - {name: OTELCOL_STORAGE, value: /var/lib/otelcol}
      - name: OTEL_RESOURCE_ATTRIBUTES
        value: {{ include "qudag.identity" .root | quote }}
      {{- toYaml .env | nindent 6 }}
      {{- range $name, $value := .values.env }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
    ports:
      - {name: otlp-grpc, containerPort: 4317}
      - {name: otlp-http, containerPort: 4318}
      - {name: health, containerPort: 13133}
    startupProbe:
      httpGet: {path: /, port: health}
      periodSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet: {path: /, port: health}
      periodSeconds: 30
      timeoutSeconds: 5
    readinessProbe:
      httpGet: {path: /, port: health}
      periodSeconds: 5
    resources: {{- toYaml .values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: config, mountPath: /etc/otelcol, readOnly: true}
      - {name: queue, mountPath: /var/lib/otelcol}
{{- end }}
