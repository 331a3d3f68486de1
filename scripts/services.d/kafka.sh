# Apache Kafka in KRaft mode, every node broker and controller at once, from the jars on Maven Central.

kafka_version=4.3.1
kafka_cluster_id=dGFpbHJhY2UtdGVzdHMtMQ

kafka_download() { maven -f "$parts/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1"; check_sums "$parts/kafka/SHA256SUMS" "$1"; }

kafka_install() {
  java17=$(find_java 17)
  [ -n "$java17" ] || { install_packages default-jdk-headless; java17=$(find_java 17); }
  [ -d "$cache/kafka-$kafka_version" ] || say "fetching Apache Kafka $kafka_version from Maven Central (45 MB)"
  cached "kafka-$kafka_version" kafka_download
}

kafka_java() {
  "${java17:=$(find_java 17)}/bin/java" -Xms64m -Xmx"${TAILRACE_KAFKA_HEAP:-384m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
    -Djava.awt.headless=true -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$cache/kafka-$kafka_version/*" "$@"
}

# kafka_configure NAME ID VOTERS NODES : ports must be taken already; writes server.properties and formats the storage.
kafka_configure() {
  local dir=$run/$1 copies=1 in_sync=1
  [ "$4" -lt 3 ] || { copies=3 in_sync=2; }
  local port proxy behind
  port=$(fact "$1" port) proxy=$(fact "$1" proxy.front) behind=$(fact "$1" proxy.behind)
  cat >"$dir/server.properties" <<P
process.roles=broker,controller
node.id=$2
controller.quorum.voters=$3
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:$behind,CONTROLLER://127.0.0.1:$(fact "$1" controller)
advertised.listeners=PLAINTEXT://127.0.0.1:$port,PROXIED://127.0.0.1:$proxy
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
log.retention.ms=-1
num.partitions=3
default.replication.factor=$copies
min.insync.replicas=$in_sync
offsets.topic.num.partitions=3
offsets.topic.replication.factor=$copies
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
num.network.threads=2
num.io.threads=4
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=8388608
P
  local scram=()
  if [ -n "$secure" ]; then
    kafka_secure "$1" "$port" "$behind" "$proxy" >>"$dir/server.properties"
    scram=(--add-scram 'SCRAM-SHA-256=[name=bob,password=bob-secret]' --add-scram 'SCRAM-SHA-512=[name=bob,password=bob-secret]')
  fi
  kafka_java kafka.tools.StorageTool format -t "$kafka_cluster_id" -c "$dir/server.properties" "${scram[@]}" >"$dir/format.log" 2>&1 ||
    { cat "$dir/format.log" >&2; die "$1: could not format its storage"; }
}

# kafka_secure NAME PORT BEHIND PROXY : listeners with SASL, TLS and both. A later line of the file wins over an earlier one.
kafka_secure() {
  local sasl ssl both mechanism listener
  sasl=$(fact "$1" sasl) ssl=$(fact "$1" ssl) both=$(fact "$1" sasl_ssl)
  cat <<P
listeners=PLAINTEXT://127.0.0.1:$2,PROXIED://127.0.0.1:$3,CONTROLLER://127.0.0.1:$(fact "$1" controller),SASL://127.0.0.1:$sasl,SSL://127.0.0.1:$ssl,SASLSSL://127.0.0.1:$both
advertised.listeners=PLAINTEXT://127.0.0.1:$2,PROXIED://127.0.0.1:$4,SASL://127.0.0.1:$sasl,SSL://127.0.0.1:$ssl,SASLSSL://127.0.0.1:$both
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,SSL:SSL,SASLSSL:SASL_SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location=$run/tls/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$run/tls/ca.crt
listener.name.ssl.ssl.client.auth=required
P
  for listener in sasl saslssl; do
    echo "listener.name.$listener.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alice-secret\";"
    for mechanism in 256 512; do
      echo "listener.name.$listener.scram-sha-$mechanism.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
    done
  done
}

kafka_start() {
  launch "$1" "${java17:=$(find_java 17)}/bin/java" "$(node_mark "$1")" -Xms64m -Xmx"${TAILRACE_KAFKA_HEAP:-384m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -XX:-UsePerfData -Djava.awt.headless=true -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.log.kafka.server=info \
    -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$cache/kafka-$kafka_version/*" kafka.Kafka "$run/$1/server.properties"
}
kafka_ready() { grep -q 'Kafka Server started' "$run/$1/log" 2>/dev/null; }

# kafka_up COUNT
kafka_up() {
  kafka_install
  local i port kind voters= jobs=()
  for i in $(seq "$1"); do
    make_node "kafka$i"
    for kind in port controller proxy.front proxy.behind sasl ssl sasl_ssl; do take_port port; set_fact "kafka$i" $kind "$port"; done
    set_fact "kafka$i" address "127.0.0.1:$(fact "kafka$i" port)"
    voters+=${voters:+,}$i@127.0.0.1:$(fact "kafka$i" controller)
  done
  for i in $(seq "$1"); do kafka_configure "kafka$i" "$i" "$voters" "$1" & jobs+=($!); done
  for i in "${jobs[@]}"; do wait "$i"; done
  for i in $(seq "$1"); do start_node "kafka$i"; done
}

kafka_env() {
  local name front
  echo "TAILRACE_TEST_KAFKA=$(addresses kafka address)"
  # A listener that brokers advertise at a port where nobody listens yet: a test puts its own proxy there (front>behind).
  front=$(for name in $(node_names | grep ^kafka); do echo "127.0.0.1:$(fact "$name" proxy.front)>127.0.0.1:$(fact "$name" proxy.behind)"; done | paste -sd,)
  echo "TAILRACE_TEST_KAFKA_PROXIED=$front"
  [ -d "$run/tls" ] || return 0
  for name in sasl ssl sasl_ssl; do echo "TAILRACE_TEST_KAFKA_${name^^}=127.0.0.1:$(fact kafka1 $name)"; done
}
