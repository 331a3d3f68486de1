import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.codelibs.opensearch.runner.node.OpenSearchRunnerNode;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.plugins.Plugin;

/** One OpenSearch node in its own process, configured by HOME/config/opensearch.yml: {@code java -cp 'jars/*' Node.java HOME}. */
public class Node {
    private static final List<String> MODULES = List.of(
        "transport.Netty4ModulePlugin",
        "analysis.common.CommonAnalysisModulePlugin",
        "index.mapper.MapperExtrasModulePlugin",
        "index.reindex.ReindexModulePlugin",
        "ingest.common.IngestCommonModulePlugin",
        "painless.PainlessModulePlugin");

    public static void main(String[] args) throws Exception {
        var home = args[0];
        var settings = Settings.builder().put("path.home", home).build();
        var environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), Path.of(home, "config"), () -> "node");
        Collection<Class<? extends Plugin>> plugins = new ArrayList<>();
        for (var module : MODULES) {
            plugins.add(Class.forName("org.opensearch." + module).asSubclass(Plugin.class));
        }
        var node = new OpenSearchRunnerNode(environment, plugins);
        var end = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
            end.countDown();
        }));
        node.start();
        end.await();
    }
}
