import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.settings.*;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.*;

/**
 * Supplies what the distribution for integration tests leaves out and a client of Elasticsearch meets at once:
 * the answer to "GET /", the analysis that the security index (API keys, native users) is mapped with,
 * and the index setting that names a lifecycle policy (accepted, not acted upon).
 */
public class TestPlugin extends Plugin implements ActionPlugin, AnalysisPlugin {
    private ClusterService cluster;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        return List.of();
    }

    @Override
    public List<Setting<?>> getSettings() {
        return List.of(lifecycle("name"), lifecycle("rollover_alias"));
    }

    private static Setting<String> lifecycle(String key) {
        return Setting.simpleString("index.lifecycle." + key, Setting.Property.Dynamic, Setting.Property.IndexScope);
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("uax_url_email", (index, env, name, settings) -> TokenizerFactory.newFactory(name, UAX29URLEmailTokenizer::new));
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of("unique", (index, env, name, settings) -> new Filter(name) {
            @Override
            public TokenStream create(TokenStream in) {
                return new RemoveDuplicatesTokenFilter(in);
            }
        }, "pattern_capture", (index, env, name, settings) -> new Filter(name) {
            private final Pattern[] patterns = settings.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
            private final boolean keep = settings.getAsBoolean("preserve_original", true);

            @Override
            public TokenStream create(TokenStream in) {
                return new PatternCaptureGroupTokenFilter(in, keep, patterns);
            }
        });
    }

    private abstract static class Filter extends AbstractTokenFilterFactory {
        Filter(String name) {
            super(name);
        }
    }

    @Override
    public Collection<RestHandler> getRestHandlers(RestHandlersServices services, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
        return List.of(new Root());
    }

    private class Root extends BaseRestHandler {
        @Override
        public String getName() {
            return "tailrace_test_root";
        }

        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            var build = Build.current();
            var state = cluster.state();
            var answer = """
                {"name":"%s","cluster_name":"%s","cluster_uuid":"%s","version":{"number":"%s","build_flavor":"%s","build_type":"%s",\
                "build_hash":"%s","build_date":"%s","build_snapshot":%b,"lucene_version":"%s",\
                "minimum_wire_compatibility_version":"%s","minimum_index_compatibility_version":"%s"},"tagline":"You Know, for Search"}
                """.formatted(state.nodes().getLocalNode().getName(), state.getClusterName().value(), state.metadata().clusterUUID(),
                build.version(), build.flavor(), build.type().displayName(), build.hash(), build.date(), build.isSnapshot(),
                org.apache.lucene.util.Version.LATEST, build.minWireCompatVersion(), build.minIndexCompatVersion());
            return channel -> channel.sendResponse(new RestResponse(RestStatus.OK, "application/json", answer));
        }
    }
}
