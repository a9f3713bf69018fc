// REST, Connect, gRPC-Web and gRPC to gRPC by Vanguard: vanguard LISTEN SERVICE, both host:port.
package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"connectrpc.com/vanguard"

	"passerelle.example/peers/orders"
)

func main() {
	toService, fromClients := new(http.Protocols), new(http.Protocols)
	toService.SetUnencryptedHTTP2(true)
	fromClients.SetHTTP1(true)
	fromClients.SetUnencryptedHTTP2(true)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: os.Args[2]})
	proxy.Transport = &http.Transport{Protocols: toService}
	proxy.FlushInterval = -1
	service := vanguard.NewServiceWithSchema(orders.File_shop_orders_v3_orders_proto.Services().ByName("Orders"), proxy,
		vanguard.WithTargetProtocols(vanguard.ProtocolGRPC), vanguard.WithTargetCodecs(vanguard.CodecProto))
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{service})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: os.Args[1], Handler: transcoder, Protocols: fromClients,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000}}
	log.Fatal(server.ListenAndServe())
}
