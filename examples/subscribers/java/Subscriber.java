// Keeps who is in which pair: `java -cp 'lib/*' Subscriber.java 127.0.0.1:9092 my-group`.
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Subscriber {
  static final Map<String, Integer> KNOWS = Map.of("PairFormed", 1, "PairReleased", 1, "ErasureRequested", 1);
  static final Map<String, Long> last = new HashMap<>(); // kept in memory; keep yours in a database
  static final Map<String, List<String>> pairs = new TreeMap<>();
  static final Set<String> erased = new HashSet<>();

  public static void main(String[] args) throws Exception {
    var strings = new StringDeserializer();
    var prefix = args.length > 2 ? args[2] : "counterpoint";
    var settings = Map.<String, Object>of("bootstrap.servers", args[0], "group.id", args[1], "auto.offset.reset",
        "earliest", "enable.auto.commit", false, "metadata.max.age.ms", 5000);
    var topics = java.util.regex.Pattern.compile("^" + prefix + "[.](enrollment|matching)[.]events([.]g[0-9]+)?$");
    var consumer = new KafkaConsumer<>(settings, strings, strings);
    consumer.subscribe(topics); // also when a topic is filled again
    while (true) for (var record : consumer.poll(java.time.Duration.ofSeconds(1))) take(record);
  }

  static void take(ConsumerRecord<String, String> record) throws Exception {
    var ce = new HashMap<String, String>();
    for (var header : record.headers()) if (header.value() != null) ce.put(header.key(), new String(header.value()));
    if (!ce.containsKey("ce_id")) return; // no fact
    long sequence = Long.parseLong(ce.get("ce_sequence"));
    if (sequence <= last.getOrDefault(ce.get("ce_subject"), 0L)) return; // a repeat
    last.put(ce.get("ce_subject"), sequence);
    var schema = ce.get("ce_dataschema").split(":"); // urn:counterpoint:schema:<fact>:<version>
    if (!KNOWS.containsKey(schema[3])) return;
    if (Integer.parseInt(schema[4]) > KNOWS.get(schema[3])) throw new IllegalStateException(schema[3] + " is newer");
    var fact = new ObjectMapper().readTree(record.value()); // take what you need, pass over what you do not know
    switch (schema[3]) {
      case "PairFormed" -> pairs.put(fact.get("pair").asText(),
          Arrays.asList(fact.get("mentor").asText(), fact.get("executive").asText()));
      case "PairReleased" -> pairs.remove(fact.get("pair").asText());
      default -> erased.add(fact.get("person").asText()); // remembered: their pair may be heard later
    }
    pairs.values().forEach(two -> two.replaceAll(person -> erased.contains(person) ? null : person));
    System.out.println(new ObjectMapper().writeValueAsString(pairs));
  }
}
