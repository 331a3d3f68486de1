//! Tailrace's processor: runs Logstash pipelines, from Kafka to Elasticsearch.

pub mod lang;
