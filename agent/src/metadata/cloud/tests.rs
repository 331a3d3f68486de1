#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::http::fake::{Answer, Asked, Fake};

/// What is found out from a server that answers like this.
fn ask(names: &[&str], handler: impl Fn(&Asked) -> Option<&'static str> + Send + Sync + 'static) -> Option<Value> {
    let (_server, port) = Fake::tcp(0, move |asked| match handler(asked) {
        Some(text) => Answer::Whole(200, text.to_owned()),
        None => Answer::Whole(404, "not found".to_owned()),
    });
    let settings = Settings {
        providers: if names.is_empty() { usual() } else { names.iter().map(|name| named(name).unwrap()).collect() },
        timeout: Duration::from_secs(5),
        host: Some(format!("127.0.0.1:{port}")),
        trust: Trust::default(),
    };
    let (_, facts) = Cloud { settings, answer: Mutex::default() }.ask()?;
    let mut out = Vec::new();
    tailrace_common::json::write_object(&facts, &mut out);
    Some(serde_json::from_slice(&out).unwrap())
}

const IDENTITY: &str = r#"{"accountId":"123456789012","architecture":"x86_64","availabilityZone":"us-east-1c",
"imageId":"ami-abcd1234","instanceId":"i-11111111","instanceType":"t2.medium","kernelId":null,"pendingTime":"2016-09-20T15:43:02Z",
"privateIp":"10.0.0.1","region":"us-east-1","version":"2017-09-30"}"#;

fn amazon(asked: &Asked) -> Option<&'static str> {
    let token = asked.header("x-aws-ec2-metadata-token") == Some("TOKEN==");
    match (asked.method.as_str(), asked.path.as_str()) {
        ("PUT", "/latest/api/token") => asked.header("x-aws-ec2-metadata-token-ttl-seconds").map(|_| "TOKEN=="),
        ("GET", "/latest/dynamic/instance-identity/document") if token => Some(IDENTITY),
        ("GET", "/latest/meta-data/tags/instance/eks:cluster-name") if token => Some("shop"),
        // It also answers where OpenStack's service would.
        ("GET", path) if path.starts_with("/2009-04-04/meta-data/") => Some("i-11111111"),
        _ => None,
    }
}

#[test]
fn amazon_is_asked_with_a_token_and_told_from_openstack() {
    let cloud = json!({"instance": {"id": "i-11111111"}, "machine": {"type": "t2.medium"}, "region": "us-east-1",
        "availability_zone": "us-east-1c", "account": {"id": "123456789012"}, "image": {"id": "ami-abcd1234"},
        "service": {"name": "EC2"}, "provider": "aws"});
    let cluster = json!({"name": "shop", "id": "arn:aws:eks:us-east-1:123456789012:cluster/shop"});
    let wanted = json!({"cloud": cloud, "orchestrator": {"cluster": cluster}});
    assert_eq!(ask(&[], amazon), Some(wanted.clone()));
    // The first version of the service knows no tokens.
    let old = |asked: &Asked| (asked.path == "/latest/dynamic/instance-identity/document").then_some(IDENTITY);
    assert_eq!(ask(&["ec2"], old), Some(json!({"cloud": wanted["cloud"]})));
}

#[test]
fn every_cloud_has_filebeats_fields() {
    let azure = ask(&[], |asked| {
        let right = asked.path == "/metadata/instance/compute?api-version=2021-02-01"
            && asked.header("metadata") == Some("true");
        right.then_some(
            r#"{"azEnvironment":"AzurePublicCloud","location":"eastus2","name":"test-az-vm","resourceGroupName":"rg",
            "subscriptionId":"5tfb04c3","vmId":"04ab04c3-63de-4709-a9f9-9ab8c0411d5e","vmSize":"Standard_D3_v2"}"#,
        )
    });
    assert_eq!(
        azure,
        Some(
            json!({"cloud": {"account": {"id": "5tfb04c3"}, "instance": {"id": "04ab04c3-63de-4709-a9f9-9ab8c0411d5e", "name": "test-az-vm"},
        "machine": {"type": "Standard_D3_v2"}, "region": "eastus2", "service": {"name": "Virtual Machines"}, "provider": "azure"}})
        )
    );
    let gcp = ask(&[], |asked| {
        let right = asked.path == "/computeMetadata/v1/?recursive=true&alt=json"
            && asked.header("metadata-flavor") == Some("Google");
        right.then_some(
            r#"{"instance":{"attributes":{"cluster-name":"test-gke","kubeconfig":"apiVersion: v1\nclusters:\n- cluster:\n    server: https://mycluster\n"},
            "id":3910564293633576924,"machineType":"projects/111111111111/machineTypes/f1-micro","name":"test-gce-dev",
            "zone":"projects/111111111111/zones/us-east1-b"},"project":{"numericProjectId":111111111111,"projectId":"test-dev"}}"#,
        )
    });
    assert_eq!(
        gcp,
        Some(
            json!({"cloud": {"account": {"id": "test-dev"}, "project": {"id": "test-dev"}, "instance": {"id": "3910564293633576924", "name": "test-gce-dev"},
        "machine": {"type": "f1-micro"}, "availability_zone": "us-east1-b", "service": {"name": "GCE"}, "provider": "gcp"},
        "orchestrator": {"cluster": {"name": "test-gke", "url": "https://mycluster"}}})
        )
    );
    let ocean = ask(&[], |asked| {
        (asked.path == "/metadata/v1.json").then_some(r#"{"droplet_id":1111111,"hostname":"sample","region":"nyc3"}"#)
    });
    assert_eq!(
        ocean,
        Some(
            json!({"cloud": {"instance": {"id": "1111111"}, "region": "nyc3", "service": {"name": "Droplets"}, "provider": "digitalocean"}})
        )
    );
    let hetzner = ask(&[], |asked| {
        asked.path.strip_prefix("/hetzner/v1/metadata/").map(|key| match key {
            "instance-id" => "111111",
            "hostname" => "my-hetzner-instance",
            "availability-zone" => "hel1-dc2",
            _ => "eu-central",
        })
    });
    assert_eq!(
        hetzner,
        Some(
            json!({"cloud": {"instance": {"id": "111111", "name": "my-hetzner-instance"}, "availability_zone": "hel1-dc2",
        "region": "eu-central", "service": {"name": "Cloud"}, "provider": "hetzner"}})
        )
    );
    let nova = ask(&["huawei"], |asked| {
        asked.path.strip_prefix("/2009-04-04/meta-data/").map(|key| match key {
            "instance-id" => "i-0000ffac",
            "instance-type" => "m1.xlarge",
            "hostname" => "testvm01.stack.cloud",
            _ => "az-test-2",
        })
    });
    assert_eq!(
        nova,
        Some(
            json!({"cloud": {"instance": {"id": "i-0000ffac", "name": "testvm01.stack.cloud"}, "machine": {"type": "m1.xlarge"},
        "availability_zone": "az-test-2", "service": {"name": "Nova"}, "provider": "openstack"}})
        )
    );
    let alibaba = ask(&["alibaba"], |asked| {
        asked.path.strip_prefix("/latest/meta-data/").map(|key| match key {
            "instance-id" => "i-wz9g2hqiikg0aliyun2b",
            "region-id" => "cn-shenzhen",
            _ => "cn-shenzhen-a",
        })
    });
    assert_eq!(alibaba.unwrap()["cloud"]["provider"], "ecs");
    let tencent = ask(&["tencent"], |asked| asked.path.strip_prefix("/meta-data/").map(|_| "ins-qcloudv5"));
    assert_eq!(tencent.unwrap()["cloud"]["provider"], "qcloud");
}

#[test]
fn where_nobody_answers_it_is_no_cloud() {
    assert_eq!(ask(&[], |_| None), None);
    assert_eq!(ask(&["gcp"], |_| Some("<html>login</html>")), None);
}
