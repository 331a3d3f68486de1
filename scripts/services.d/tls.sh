# Certificates for the secured listeners: an authority of our own, a server's and a client's.

# make_certificates : into $run/tls: ca.crt, http.key, http.crt, server.pem (key and certificate in one), client.key, client.crt.
make_certificates() {
  need openssl
  local dir=$run/tls name
  mkdir -p "$dir"
  (
    cd "$dir"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=tailrace-test-ca -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.crt
    printf '%s\n' 'subjectAltName=DNS:localhost,IP:127.0.0.1' 'extendedKeyUsage=serverAuth,clientAuth' >names
    for name in http client; do
      openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout $name.key -out $name.csr
      openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile names -out $name.crt
    done
    cat http.key http.crt >server.pem
    chmod 644 ./*.key server.pem # throw-away keys, read by the server's own user
  ) >"$run/tls.log" 2>&1 || { cat "$run/tls.log" >&2; die "openssl could not make the certificates"; }
}
