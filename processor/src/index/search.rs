//! Searching the embedded index.

use std::ops::Bound;

use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::{AggContextParams, AggregationCollector};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{AllQuery, BooleanQuery, Query, RangeQuery};
use tantivy::schema::Value as _;
use tantivy::{DateTime, Order, Searcher, TantivyDocument, TantivyError, Term};

use super::answer::{Bucket, Histogram, Hit, SearchAnswer, TermCount, Terms};
use super::shape::{DOCUMENT, TIMESTAMP};
use super::{IndexError, LocalIndex};

/// About how many buckets a histogram has.
const BUCKETS: i64 = 60;
/// How many values are counted per field.
const TOP_VALUES: usize = 8;
/// Widths that a bucket may have, seconds.
const WIDTHS: [i64; 16] =
    [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400];

/// What to search for.
#[derive(Clone, Debug, Default)]
pub struct SearchRequest {
    /// Lucene-like: `log.level:error AND message:"connection refused"`, `http.response.status_code:[500 TO 599]`,
    /// `NOT stream:stdout`, `error.message:*`. Words without an operator between them must all match. Empty: everything.
    pub query: String,
    /// Earliest `@timestamp`, milliseconds since the epoch.
    pub from: Option<i64>,
    /// Latest `@timestamp`, milliseconds since the epoch.
    pub to: Option<i64>,
    /// How many documents to give back, newest first.
    pub limit: usize,
    /// Whether to count over time.
    pub histogram: bool,
    /// Fields whose most frequent values to count.
    pub terms: Vec<String>,
}

impl LocalIndex {
    /// Answers a request.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchAnswer, IndexError> {
        let query = self.query(request)?;
        let searcher = self.reader.searcher();
        let (total, newest) = if request.limit == 0 {
            (searcher.search(&query, &Count)?, Vec::new())
        } else {
            let top = TopDocs::with_limit(request.limit).order_by_fast_field::<DateTime>(TIMESTAMP, Order::Desc);
            searcher.search(&query, &(Count, top))?
        };
        let hits = newest.into_iter().map(|(_, address)| self.hit(&searcher.doc(address)?));
        let hits = hits.collect::<Result<_, _>>()?;
        let histogram = request.histogram.then(|| histogram(&searcher, &query, request)).transpose()?;
        let terms = terms(&searcher, &query, &request.terms)?;
        Ok(SearchAnswer { total: total as u64, hits, histogram, terms })
    }

    fn query(&self, request: &SearchRequest) -> Result<Box<dyn Query>, IndexError> {
        let text = request.query.trim();
        let asked: Box<dyn Query> = if text.is_empty() { Box::new(AllQuery) } else { self.parse_query(text)? };
        if request.from.is_none() && request.to.is_none() {
            return Ok(asked);
        }
        let bound = |millis: Option<i64>| {
            let term = |millis| Term::from_field_date(self.fields.timestamp, DateTime::from_timestamp_millis(millis));
            millis.map_or(Bound::Unbounded, |millis| Bound::Included(term(millis)))
        };
        let range = RangeQuery::new(bound(request.from), bound(request.to));
        Ok(Box::new(BooleanQuery::intersection(vec![asked, Box::new(range)])))
    }

    fn hit(&self, document: &TantivyDocument) -> Result<Hit, IndexError> {
        let text = |field| document.get_first(field).and_then(|value| value.as_str()).unwrap_or_default().to_string();
        let source = RawValue::from_string(text(self.fields.source)).map_err(internal)?;
        Ok(Hit { id: text(self.fields.id), document: source })
    }
}

fn internal(error: impl std::fmt::Display) -> IndexError {
    IndexError::Index(TantivyError::InternalError(error.to_string()))
}

/// Runs aggregations in Elasticsearch's notation.
fn aggregate(searcher: &Searcher, query: &dyn Query, request: Json) -> Result<Json, IndexError> {
    let request: Aggregations = serde_json::from_value(request).map_err(internal)?;
    let collector = AggregationCollector::from_aggs(request, AggContextParams::default());
    let answer = searcher.search(query, &collector)?;
    serde_json::to_value(answer).map_err(internal)
}

fn histogram(searcher: &Searcher, query: &dyn Query, request: &SearchRequest) -> Result<Histogram, IndexError> {
    let bounds = json!({ "first": { "min": { "field": TIMESTAMP } }, "last": { "max": { "field": TIMESTAMP } } });
    let bounds = aggregate(searcher, query, bounds)?;
    // The index counts dates in nanoseconds.
    let millis = |name: &str| bounds[name]["value"].as_f64().map(|nanos| (nanos / 1e6) as i64);
    let (Some(first), Some(last)) = (millis("first"), millis("last")) else { return Ok(Histogram::default()) };
    let span = (request.to.unwrap_or(last).min(last) - request.from.unwrap_or(first).max(first)) / 1000;
    let width = WIDTHS.iter().copied().find(|width| span / width <= BUCKETS);
    let width = width.unwrap_or_else(|| (span / BUCKETS / 86_400 + 1) * 86_400);
    let counted = json!({ "over_time": { "date_histogram": {
        "field": TIMESTAMP, "fixed_interval": format!("{width}s"), "min_doc_count": 0
    } } });
    let counted = aggregate(searcher, query, counted)?;
    let buckets = counted["over_time"]["buckets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let bucket = |bucket: &Json| {
        Some(Bucket { at: bucket["key"].as_f64()? as i64, count: bucket["doc_count"].as_u64().unwrap_or_default() })
    };
    Ok(Histogram { interval_ms: width * 1000, buckets: buckets.iter().filter_map(bucket).collect() })
}

fn terms(searcher: &Searcher, query: &dyn Query, fields: &[String]) -> Result<Vec<Terms>, IndexError> {
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let requests = fields.iter().enumerate().map(|(number, field)| {
        (number.to_string(), json!({ "terms": { "field": format!("{DOCUMENT}.{field}"), "size": TOP_VALUES } }))
    });
    let counted = aggregate(searcher, query, Json::Object(requests.collect()))?;
    let terms = fields.iter().enumerate().map(|(number, field)| {
        let buckets = counted[number.to_string()]["buckets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let value = |bucket: &Json| TermCount {
            value: bucket["key_as_string"]
                .as_str()
                .or(bucket["key"].as_str())
                .map_or_else(|| number_text(&bucket["key"]), str::to_string),
            count: bucket["doc_count"].as_u64().unwrap_or_default(),
        };
        Terms { field: field.clone(), values: buckets.iter().map(value).collect() }
    });
    Ok(terms.collect())
}

/// Columns of numbers come back as doubles: `200.0` is shown as `200`.
fn number_text(value: &Json) -> String {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() < 9e15 => (number as i64).to_string(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tailrace_common::{Event, Str, Timestamp, Value, json};

    use super::*;

    fn event(millis: i64, document: &str) -> Event {
        let now = Timestamp::from_millis(millis);
        match json::parse(&Str::from(document), json::Numbers::Float).unwrap() {
            Value::Object(fields) => Event::from_object(fields, now),
            _ => Event::new(now),
        }
    }

    fn index() -> (tempfile::TempDir, LocalIndex) {
        let folder = tempfile::tempdir().unwrap();
        let index = LocalIndex::open_or_create(folder.path()).unwrap();
        let mut writer = index.writer().unwrap();
        let documents = [
            r#"{"message":"GET /api/orders refused","log":{"level":"error"},"http":{"response":{"status_code":502}},"tags":["a","b"]}"#,
            r#"{"message":"用户 登录失败：密码错误","log":{"level":"warn"},"user.name":"张伟"}"#,
            r#"{"message":"order 4711 took 12.5 ms","log":{"level":"info"},"http":{"response":{"status_code":200}},"tags":["b"]}"#,
        ];
        for (number, document) in documents.iter().enumerate() {
            writer.put(&format!("id-{number}"), &event(60_000 * number as i64, document)).unwrap();
        }
        writer.commit().unwrap();
        drop(writer);
        (folder, index)
    }

    fn found(index: &LocalIndex, query: &str) -> Vec<String> {
        let request = SearchRequest { query: query.into(), limit: 10, ..SearchRequest::default() };
        index.search(&request).unwrap().hits.into_iter().map(|hit| hit.id).collect()
    }

    #[test]
    fn queries_find_words_phrases_fields_and_ranges() {
        let (_folder, index) = index();
        for (query, ids) in [
            ("", vec!["id-2", "id-1", "id-0"]),
            ("*", vec!["id-2", "id-1", "id-0"]),
            ("REFUSED", vec!["id-0"]),
            ("message:\"api orders\"", vec!["id-0"]),
            ("error", vec!["id-0"]),
            ("log.level:error", vec!["id-0"]),
            ("log.level:(error OR warn)", vec!["id-1", "id-0"]),
            ("log.level:error OR log.level:info", vec!["id-2", "id-0"]),
            ("order took", vec!["id-2"]),
            ("登录失败", vec!["id-1"]),
            ("录失", vec!["id-1"]),
            ("失录", vec![]),
            ("user.name:张伟", vec!["id-1"]),
            ("http.response.status_code:502", vec!["id-0"]),
            ("http.response.status_code:\"502\"", vec!["id-0"]),
            ("http.response.status_code:[200 TO 299]", vec!["id-2"]),
            ("http.response.status_code:>=500", vec!["id-0"]),
            ("NOT log.level:error", vec!["id-2", "id-1"]),
            ("* AND NOT http.response.status_code:*", vec!["id-1"]),
            ("tags:b AND NOT tags:a", vec!["id-2"]),
            ("@timestamp:[1970-01-01T00:00:30Z TO *]", vec!["id-2", "id-1"]),
            ("_id:\"id-1\"", vec!["id-1"]),
        ] {
            assert_eq!(found(&index, query), ids, "{query}");
        }
    }

    #[test]
    fn a_malformed_query_is_an_error() {
        let (_folder, index) = index();
        let request = SearchRequest { query: "message:(unclosed".into(), limit: 1, ..SearchRequest::default() };
        assert!(matches!(index.search(&request), Err(IndexError::Syntax(_))));
    }

    #[test]
    fn counts_over_time_and_by_value() {
        let (_folder, index) = index();
        let request = SearchRequest {
            histogram: true,
            terms: vec!["log.level".into(), "tags".into(), "http.response.status_code".into(), "absent".into()],
            from: Some(0),
            to: Some(60_000),
            ..SearchRequest::default()
        };
        let answer = index.search(&request).unwrap();
        assert_eq!(answer.total, 2);
        let histogram = answer.histogram.unwrap();
        assert_eq!(histogram.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 2);
        assert_eq!(histogram.buckets.first().unwrap(), &Bucket { at: 0, count: 1 });
        let texts: Vec<_> = answer
            .terms
            .iter()
            .map(|terms| terms.values.iter().map(|term| term.value.as_str()).collect::<Vec<_>>())
            .collect();
        assert_eq!(texts, [vec!["error", "warn"], vec!["a", "b"], vec!["502"], vec![]]);
    }

    #[test]
    fn a_document_with_the_same_id_takes_the_place_of_the_old_one() {
        let (folder, index) = index();
        let mut writer = index.writer().unwrap();
        assert!(matches!(LocalIndex::open(folder.path()).unwrap().writer(), Err(IndexError::Locked)));
        writer.put("id-0", &event(0, r#"{"message":"again"}"#)).unwrap();
        writer.commit().unwrap();
        assert_eq!(index.count(), 3);
        assert_eq!(found(&index, "again"), ["id-0"]);
        assert_eq!(found(&index, "refused"), Vec::<String>::new());
    }
}
