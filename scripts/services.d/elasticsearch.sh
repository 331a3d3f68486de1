# Elasticsearch: Elastic's own server in the small distribution that Elastic publishes on Maven Central for integration tests.
# 9.x needs Java 21 or newer, 8.19 is for Java 17. A small plugin of ours supplies what that distribution leaves out.

es_artifact=org.elasticsearch.distribution.integ-test-zip:elasticsearch

# es_choose : sets es_java, es_version and es_home for this machine.
es_choose() {
  [ -z "${es_home:-}" ] || return 0
  es_java=$(find_java 17)
  [ -n "$es_java" ] || { install_packages default-jdk-headless; es_java=$(find_java 17); }
  es_version=9.5.3
  [ "$(java_version "$es_java")" -ge 21 ] || es_version=8.19.21
  es_version=${TAILRACE_ELASTICSEARCH_VERSION:-$es_version}
  es_home=$cache/elasticsearch-$es_version
}

es_download() {
  need unzip
  maven dependency:copy -Dartifact="$es_artifact:$es_version:zip" -DoutputDirectory="$1"
  local zip=elasticsearch-$es_version.zip
  grep -F " $zip" "$parts/elasticsearch/SHA256SUMS" >"$1/sum" || die "no checksum for $zip in $parts/elasticsearch/SHA256SUMS"
  (cd "$1" && sha256sum -c --quiet --strict sum >&2) || die "$zip is not what its checksum says"
  unzip -q "$1/$zip" -d "$1"
  mv "$1/elasticsearch-$es_version"/* "$1"; rm -rf "$1/$zip" "$1/sum" "$1/elasticsearch-$es_version"
  if [ -x "$es_java/bin/javac" ]; then es_plugin "$1"; else say "no Java compiler in $es_java: Elasticsearch goes without our plugin (GET / answers 405)"; fi
}

es_8_parameters='Settings a, NamedWriteableRegistry b, RestController c, ClusterSettings d, IndexScopedSettings e, SettingsFilter f, IndexNameExpressionResolver g'

# es_plugin HOME : compiles the plugin for this version; the interface it implements has other parameters in 8 than in 9.
es_plugin() {
  local build classes es_release=21 dir=$1/plugins/tailrace-test
  build=$(mktemp -d)
  cp "$parts/elasticsearch/TestPlugin.java" "$build"
  case $es_version in 8.*) es_release=17; sed -i "s/RestHandlersServices services/$es_8_parameters/; s/super(name)/super(name, Settings.EMPTY)/" "$build/TestPlugin.java" ;; esac
  mkdir -p "$dir" "$build/classes"
  classes=$(find "$1/lib" "$1/modules" -name '*.jar' | paste -sd:)
  "$es_java/bin/javac" --release "$es_release" -nowarn -proc:none -cp "$classes" -d "$build/classes" "$build/TestPlugin.java" >"$build/log" 2>&1 || { cat "$build/log" >&2; return 1; }
  "$es_java/bin/jar" cf "$dir/tailrace-test.jar" -C "$build/classes" .
  cat >"$dir/plugin-descriptor.properties" <<P
name=tailrace-test
description=what the integration test distribution leaves out
version=1
elasticsearch.version=$es_version
java.version=17
classname=TestPlugin
P
  rm -rf "$build"
}

es_install() {
  need curl
  es_choose
  [ -d "$es_home" ] || say "fetching Elasticsearch $es_version from Maven Central (130 MB)"
  cached "elasticsearch-$es_version" es_download
  [ "$(id -u)" = 0 ] || return 0
  # It refuses to run as root, and the user it gets instead cannot enter root's home: a copy (links where possible) beside the data.
  need setpriv=util-linux
  [ -d "$run/elasticsearch-home" ] || cp -al "$es_home" "$run/elasticsearch-home" 2>/dev/null || { rm -rf "$run/elasticsearch-home"; cp -a "$es_home" "$run/elasticsearch-home"; }
}

# es_configure NAME DISCOVERY-LINES
es_configure() {
  local dir=$run/$1
  mkdir -p "$dir"/config/jvm.options.d "$dir"/data "$dir"/logs "$dir"/tmp
  cp "$es_home"/config/{roles.yml,users,users_roles,role_mapping.yml} "$dir/config/"
  grep -v -e '^-Xlog' -e HeapDump -e UseG1GC "$es_home/config/jvm.options" >"$dir/config/jvm.options"
  printf '%s\n' "$(node_mark "$1")" -Xms"${TAILRACE_ELASTICSEARCH_HEAP:-1g}" -Xmx"${TAILRACE_ELASTICSEARCH_HEAP:-1g}" -XX:+UseSerialGC ${TAILRACE_ELASTICSEARCH_OPTIONS--XX:TieredStopAtLevel=1} \
    -XX:-UsePerfData -XX:-AlwaysPreTouch -XX:MaxDirectMemorySize=128m >"$dir/config/jvm.options.d/test.options"
  cat >"$dir/config/log4j2.properties" <<'P'
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
P
  cat >"$dir/config/elasticsearch.yml" <<P
cluster.name: tailrace-test
node.name: $1
path.data: $dir/data
path.logs: $dir/logs
network.host: 127.0.0.1
http.port: $(fact "$1" port)
transport.port: $(fact "$1" transport)
$2
cluster.routing.allocation.disk.threshold_enabled: false
cluster.routing.allocation.same_shard.host: false
node.processors: 2
P
  if [ "$(node_kind "$1")" = es_secure ]; then es_secure_configure "$dir"; else echo 'xpack.security.enabled: false' >>"$dir/config/elasticsearch.yml"; fi
  [ "$(id -u)" != 0 ] || chown -R 65534:65534 "$dir"
}

# es_secure_configure DIR : TLS, and the user elastic-test with every right (password test-secret), from the file realm.
es_secure_configure() {
  cp "$run"/tls/{http.key,http.crt,ca.crt} "$1/config/"
  cat >>"$1/config/elasticsearch.yml" <<'P'
xpack.security.enabled: true
xpack.security.enrollment.enabled: false
xpack.security.autoconfiguration.enabled: false
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: http.key
xpack.security.http.ssl.certificate: http.crt
xpack.security.http.ssl.certificate_authorities: ca.crt
xpack.security.http.ssl.client_authentication: optional
P
  # The bcrypt hash of "test-secret": making it anew takes two seconds of a JVM at every start.
  echo 'elastic-test:$2a$10$vlAccPGffL74CveedVKqgubKrBw1SWAlJNXe9llub10v/da9IUG/u' >"$1/config/users"
  echo 'superuser:elastic-test' >"$1/config/users_roles"
}

es_start() {
  es_choose
  local dir=$run/$1 home=$es_home as=()
  [ "$(id -u)" != 0 ] || { as=(setpriv --reuid=65534 --regid=65534 --clear-groups); home=$run/elasticsearch-home; }
  rm -f "$dir/pid"
  (cd "$dir" && HOME=$dir ES_JAVA_HOME=$es_java ES_PATH_CONF=$dir/config ES_TMPDIR=$dir/tmp CLI_JAVA_OPTS="-Xmx64m -Djava.io.tmpdir=$dir/tmp $(node_mark "$1")" \
    launch "$1" "${as[@]}" "$home/bin/elasticsearch" -p "$dir/pid")
}
es_secure_start() { es_start "$1"; }
es_ready() { curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$(fact "$1" port)/_cluster/health?wait_for_nodes=>=$(fact "$1" nodes)&timeout=1s" -f; }
es_secure_ready() { curl -s -o /dev/null --max-time 2 --cacert "$run/tls/ca.crt" -u elastic-test:test-secret -f "https://127.0.0.1:$(fact "$1" port)/_cluster/health?timeout=1s"; }

# es_node NAME NODES SCHEME
es_node() {
  local port
  make_node "$1"
  take_port port; set_fact "$1" port "$port"; set_fact "$1" address "$3://127.0.0.1:$port"
  take_port port; set_fact "$1" transport "$port"
  set_fact "$1" nodes "$2"
}

# es_up COUNT
es_up() {
  es_install
  local i seeds= names= discovery='discovery.type: single-node'
  for i in $(seq "$1"); do
    es_node "es$i" "$1" http
    seeds+="${seeds:+, }\"127.0.0.1:$(fact "es$i" transport)\""; names+="${names:+, }es$i"
  done
  [ "$1" = 1 ] || discovery="discovery.seed_hosts: [$seeds]
cluster.initial_master_nodes: [$names]"
  for i in $(seq "$1"); do es_configure "es$i" "$discovery"; start_node "es$i"; done
  [ -n "$secure" ] || return 0
  es_node es-secure1 1 https
  es_configure es-secure1 'discovery.type: single-node'
  start_node es-secure1
}

es_env() {
  echo "TAILRACE_TEST_ELASTICSEARCH=$(addresses es address)"
  [ -f "$run/es-secure1/kind" ] || return 0
  echo "TAILRACE_TEST_ELASTICSEARCH_SECURE=$(addresses es_secure address)"
  echo "TAILRACE_TEST_ELASTICSEARCH_USER=elastic-test"
  echo "TAILRACE_TEST_ELASTICSEARCH_PASSWORD=test-secret"
}
