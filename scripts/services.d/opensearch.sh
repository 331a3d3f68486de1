# OpenSearch from the jars on Maven Central, without its security plugin. Needs Java 21 or newer.

opensearch_version=3.8.0

opensearch_download() { maven -f "$parts/opensearch/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1"; check_sums "$parts/opensearch/SHA256SUMS" "$1"; }

# opensearch_up : one node.
opensearch_up() {
  [ -n "$(find_java 21)" ] || die "OpenSearch $opensearch_version needs Java 21 or newer (set JAVA_HOME)"
  need curl
  [ -d "$cache/opensearch-$opensearch_version" ] || say "fetching OpenSearch $opensearch_version from Maven Central (71 MB)"
  cached "opensearch-$opensearch_version" opensearch_download
  local port dir=$run/opensearch1
  make_node opensearch1
  take_port port; set_fact opensearch1 port "$port"; set_fact opensearch1 address "http://127.0.0.1:$port"
  mkdir -p "$dir/config"
  printf '%s\n' 'cluster.name: tailrace-test' 'node.name: opensearch1' 'network.host: 127.0.0.1' "http.port: $port" >"$dir/config/opensearch.yml"
  take_port port
  printf '%s\n' "transport.port: $port" 'discovery.type: single-node' 'cluster.routing.allocation.disk.threshold_enabled: false' 'node.processors: 2' >>"$dir/config/opensearch.yml"
  start_node opensearch1
}

opensearch_start() {
  launch "$1" "$(find_java 21)/bin/java" "$(node_mark "$1")" -Xms128m -Xmx"${TAILRACE_OPENSEARCH_HEAP:-384m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -XX:-UsePerfData --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED -Dlog4j2.configurationFile="$parts/opensearch/log4j2.properties" \
    -cp "$cache/opensearch-$opensearch_version/*" "$parts/opensearch/Node.java" "$run/$1"
}
opensearch_ready() { curl -s -o /dev/null -f --max-time 2 "http://127.0.0.1:$(fact "$1" port)/_cluster/health?timeout=1s"; }

opensearch_env() { [ ! -f "$run/opensearch1/kind" ] || echo "TAILRACE_TEST_OPENSEARCH=$(addresses opensearch address)"; }
