# Runs documented code against requests: verify.rb CASES FOLDER. Prints one JSON list of what it said.
require "json"

cases, folder = ARGV
functions = Hash.new do |known, dialect|
  code = Module.new { module_eval(File.read(File.join(folder, "#{dialect}.rb"))) }
  known[dialect] = Object.new.extend(code)
end
said = JSON.parse(File.read(cases)).map do |request|
  verify = functions[request["dialect"]].method(:verify)
  verify.call(request["headers"], request["body"].unpack1("m"), request["secrets"], *request["url"])
end
puts JSON.generate(said)
