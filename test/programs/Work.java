// Threads that allocate without pause, so that collections are under way at any time.
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;

public class Work {
  static String hash(int seed) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    Map<Integer, byte[]> live = new HashMap<>();
    byte[] h = {(byte) seed};
    for (int n = 0; n < 900000; ++n) {
      h = digest.digest(h);
      live.put(n % 5000, Arrays.copyOf(h, 600 + n % 300));
    }
    for (int i = 0; i < 5000; ++i) digest.update(live.get(i));
    return HexFormat.of().formatHex(digest.digest());
  }

  public static void main(String[] args) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(3);
    List<Future<String>> results = new ArrayList<>();
    for (int i = 0; i < 6; ++i) {
      int seed = i;
      results.add(pool.submit(() -> hash(seed)));
    }
    for (Future<String> f : results) System.out.println(f.get());
    pool.shutdown();
    System.out.println(ProcessHandle.current().pid() > 0);
  }
}
