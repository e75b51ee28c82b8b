// Command kafka answers like a Kafka broker, and keeps what it is given in memory: topics of three
// partitions, at the port that is its only argument, until it is interrupted.
package main

import (
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: kafka PORT")
	}
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatalf("no port: %v", err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.DefaultNumPartitions(3),
		kfake.AllowAutoTopicCreation(),
		kfake.SeedTopics(3, "otlp_spans", "otlp_metrics", "otlp_logs"),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	<-ended
}
